<#
.SYNOPSIS
The setup of an unpacked package of the Lumetry agent: verifies all of it, then installs it. install.ps1 calls it.

.DESCRIPTION
Every program and script has to bear a valid Authenticode signature of the publisher (of Node's, for node.exe), and every
other file has to be in the signed manifest.psd1, with its SHA-256. Nothing of the package runs before.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Publisher,
    [Parameter(Mandatory = $true)] [hashtable] $Request,
    [string] $RuntimePublisher = 'OpenJS Foundation'
)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2.0

$EXIT_SIGNATURE = 5
$SIGNED = '.exe', '.dll', '.node', '.ps1', '.psd1'
$here = $PSScriptRoot

function Stop-Setup([string] $Message) {
    [Console]::Error.WriteLine("lumetry: $Message. Nothing was changed; tell whoever runs Lumetry")
    exit $EXIT_SIGNATURE
}

function Test-Signature([string] $Name, [string] $Signer) {
    $signature = Get-AuthenticodeSignature -LiteralPath (Join-Path $here $Name)
    if ($signature.Status -ne 'Valid') { Stop-Setup "the signature of $Name is not valid: $($signature.Status)" }
    $found = $signature.SignerCertificate.GetNameInfo('SimpleName', $false)
    if ($found -ne $Signer) { Stop-Setup "$Name is signed by `"$found`", and not by `"$Signer`"" }
}

Test-Signature 'manifest.psd1' $Publisher
$manifest = Import-PowerShellDataFile -LiteralPath (Join-Path $here 'manifest.psd1')
$seen = @{}
foreach ($file in Get-ChildItem -LiteralPath $here -Recurse -File -Force) {
    $name = $file.FullName.Substring($here.Length + 1).Replace('\', '/')
    # The list for people holds the manifest, too, and so cannot be in it.
    if ($name -eq 'manifest.psd1' -or $name -eq 'SHA256SUMS') { continue }
    if (-not $manifest.Files.ContainsKey($name)) { Stop-Setup "$name does not belong to the package" }
    if ((Get-FileHash -LiteralPath $file.FullName -Algorithm SHA256).Hash -ne $manifest.Files[$name]) {
        Stop-Setup "$name is not what was released"
    }
    if ($SIGNED -contains $file.Extension) {
        Test-Signature $name $(if ($name -eq $manifest.Runtime) { $RuntimePublisher } else { $Publisher })
    }
    $seen[$name] = $true
}
foreach ($name in $manifest.Files.Keys) {
    if (-not $seen.ContainsKey($name)) { Stop-Setup "$name is missing" }
}

# What is secret goes by standard input, never by a command line that others can see.
$env:NODE_OPTIONS = $null
$OutputEncoding = New-Object System.Text.UTF8Encoding $false
[Console]::OutputEncoding = $OutputEncoding
$ErrorActionPreference = 'Continue'
ConvertTo-Json -InputObject $Request -Compress | & (Join-Path $here 'bin\node.exe') (Join-Path $here 'app\setup.mjs') install
exit $LASTEXITCODE
