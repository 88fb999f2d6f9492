<#
.SYNOPSIS
Installs or upgrades the Lumetry agent as the service LumetryAgent.

.DESCRIPTION
Downloads the package, verifies its checksum, and hands over to the package's own setup, which verifies the Authenticode
signatures of everything in it before it creates the service. Run again, it upgrades and applies the settings that are
named; what is not named stays as it is, and a host that is enrolled needs no token.

Ends with 0 done, 2 mistake in the command, 3 not elevated, 4 this host will not do, 5 wrong checksum or signature, 6 the
agent does not run here, 7 it ran and did not become well (an upgrade was rolled back), 8 download failed, 9 installed, but
Lumetry refused the enrollment, 10 another installation is under way, 1 anything else.

.PARAMETER BackendUrl
Lumetry's address.
.PARAMETER EnrollmentToken
The token of an enrollment profile.
.PARAMETER CollectorUrl
Go through this collector first; several separated by commas.
.PARAMETER CollectorFingerprint
Trust only a collector with this key.
.PARAMETER Direct
"on" or "off": whether to go to Lumetry directly when no collector has a way there.
.PARAMETER Cluster
Ask for a place in the cluster of this name.
.PARAMETER ClusterId
Ask for a place in the cluster with this id.
.PARAMETER ProxyUrl
An HTTP proxy, for the download and on the way to Lumetry.
.PARAMETER CaFile
A private certificate authority to trust, in PEM form.
.PARAMETER AllowCleartext
Accept an address of Lumetry that starts with http:.
.PARAMETER Package
Install this file instead of downloading; its checksum is that in this script, or in the file SHA256SUMS beside it.
.PARAMETER BaseUrl
Download from here instead.
.PARAMETER Publisher
Who has to have signed the package.
.PARAMETER Set
Any other setting, such as queue-limit=1GB; several separated by commas.
.PARAMETER ReEnroll
Give up the identity of this host, and enroll it anew.
.PARAMETER WaitSeconds
How long to wait for the enrollment; 120 unless given.
.PARAMETER DryRun
Check and tell what would be done, and change nothing.
.PARAMETER ShowVersion
Tell which version this script installs.
#>
[CmdletBinding()]
param(
    [string] $BackendUrl,
    [string] $EnrollmentToken,
    [string] $CollectorUrl,
    [string] $CollectorFingerprint,
    [string] $Direct,
    [string] $Cluster,
    [string] $ClusterId,
    [string] $ProxyUrl,
    [string] $CaFile,
    [switch] $AllowCleartext,
    [string] $Package,
    [string] $BaseUrl,
    [string] $Publisher,
    [string[]] $Set,
    [switch] $ReEnroll,
    [int] $WaitSeconds = 120,
    [switch] $DryRun,
    [switch] $ShowVersion
)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-StrictMode -Version 2.0

# What whoever serves this file fills in.
$VERSION = ''
$CHECKSUMS = ''
$BASE_URL = ''
$CA = ''
$SIGNER = ''

$EXIT_USAGE = 2; $EXIT_ELEVATION = 3; $EXIT_PLATFORM = 4; $EXIT_CHECKSUM = 5; $EXIT_DOWNLOAD = 8; $EXIT_BUSY = 10
$LEAST_BUILD = 17763

function Stop-Setup([int] $Code, [string] $Message) {
    [Console]::Error.WriteLine("lumetry: $Message")
    exit $Code
}

function Test-Host {
    $identity = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
    if (-not $identity.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        Stop-Setup $EXIT_ELEVATION 'this needs an elevated PowerShell session: open PowerShell by "Run as administrator"'
    }
    if (-not [Environment]::Is64BitProcess -or $env:PROCESSOR_ARCHITECTURE -ne 'AMD64') {
        Stop-Setup $EXIT_PLATFORM 'Lumetry needs 64-bit Windows on an x64 processor, and a 64-bit PowerShell'
    }
    if ([Environment]::OSVersion.Version.Build -lt $LEAST_BUILD) {
        Stop-Setup $EXIT_PLATFORM 'Lumetry needs Windows Server 2019 or newer'
    }
}

# "<sha256>  <file>" of the package, from the lines of checksums.
function Find-Package([string] $Sums, [string] $Name) {
    foreach ($line in $Sums -split '\r?\n') {
        if ($line -match '^([0-9a-f]{64}) [ *](lumetry-agent-[0-9A-Za-z.+-]+-win-x64\.zip)$') {
            $found = @{ Sha256 = $Matches[1]; File = $Matches[2] }
            if (-not $Name -or $found.File -eq $Name) { return $found }
        }
    }
}

function Receive-Package([hashtable] $Wanted, [string] $To) {
    if ($Package) {
        Copy-Item -LiteralPath $Package -Destination $To
        return
    }
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    $url = "$from/$($Wanted.File)"
    Write-Output "lumetry: downloading $($Wanted.File)"
    try {
        if ($authority) { Get-ByAuthority $url $To }
        else {
            $request = @{ Uri = $url; OutFile = $To; UseBasicParsing = $true }
            if ($ProxyUrl) { $request.Proxy = $ProxyUrl }
            Invoke-WebRequest @request
        }
    }
    catch {
        Stop-Setup $EXIT_DOWNLOAD "$url cannot be downloaded: $($_.Exception.Message) Nothing was changed. Behind a proxy, give -ProxyUrl; without a network, -Package"
    }
}

# Windows' own curl can trust a private authority for one download, without making it one of the system's.
function Get-ByAuthority([string] $Url, [string] $To) {
    $file = "$To.ca.pem"
    Set-Content -LiteralPath $file -Value $authority -Encoding Ascii
    $words = '--fail', '--silent', '--show-error', '--location', '--ssl-no-revoke', '--cacert', $file, '--output', $To
    if ($ProxyUrl) { $words += '--proxy', $ProxyUrl }
    $ErrorActionPreference = 'Continue'
    & "$env:SystemRoot\System32\curl.exe" @words $Url
    if ($LASTEXITCODE -ne 0) { throw "curl.exe ended with $LASTEXITCODE." }
    Remove-Item -LiteralPath $file
}

if ($ShowVersion) {
    Write-Output $VERSION
    exit 0
}
if ($Cluster -and $ClusterId) {
    Stop-Setup $EXIT_USAGE '-Cluster and -ClusterId both say where this host belongs; give one of them'
}
foreach ($file in @($CaFile, $Package)) {
    if ($file -and -not (Test-Path -LiteralPath $file -PathType Leaf)) { Stop-Setup $EXIT_USAGE "$file cannot be read" }
}
Test-Host

$from = if ($BaseUrl) { $BaseUrl.TrimEnd('/') } else { $BASE_URL }
$signedBy = if ($Publisher) { $Publisher } else { $SIGNER }
# Not Get-Content: what that reads carries notes, which ConvertTo-Json of PowerShell 5.1 writes in place of the text.
$authority = if ($CaFile) { [IO.File]::ReadAllText((Resolve-Path -LiteralPath $CaFile).ProviderPath) } else { $CA }
if (-not $signedBy) { Stop-Setup $EXIT_USAGE 'this script does not know who has to have signed the package: give -Publisher' }

$sums = $CHECKSUMS
$name = $null
if ($Package) {
    $name = Split-Path -Leaf $Package
    $beside = Join-Path (Split-Path -Parent (Resolve-Path -LiteralPath $Package).ProviderPath) 'SHA256SUMS'
    if (-not $sums -and (Test-Path -LiteralPath $beside)) { $sums = [IO.File]::ReadAllText($beside) }
}
elseif (-not $from) { Stop-Setup $EXIT_USAGE 'this script does not know where packages are: give -Package or -BaseUrl' }
$wanted = Find-Package $sums $name
if (-not $wanted) { Stop-Setup $EXIT_CHECKSUM 'there is no checksum for a package of the agent for 64-bit Windows' }
$title = $wanted.File -replace '\.zip$', ''

# Below Program Files only administrators can change what was verified.
$versions = Join-Path $env:ProgramFiles 'Lumetry\Agent\versions'
if ($DryRun) {
    Write-Output "lumetry: would install $title, whose SHA-256 has to be $($wanted.Sha256) and whose signer `"$signedBy`""
    Write-Output "lumetry: files: $env:ProgramFiles\Lumetry\Agent, $env:ProgramData\Lumetry\Agent; service: LumetryAgent"
    Write-Output 'lumetry: nothing was changed'
    exit 0
}

$mutex = New-Object Threading.Mutex $false, 'Global\LumetryAgentSetup'
try { $isAlone = $mutex.WaitOne(0) } catch [Threading.AbandonedMutexException] { $isAlone = $true }
if (-not $isAlone) { Stop-Setup $EXIT_BUSY 'another installation of the Lumetry agent is under way' }

$folder = Join-Path $versions ([Guid]::NewGuid().ToString('N').Substring(0, 12))
$code = 1
try {
    New-Item -ItemType Directory -Force -Path $folder | Out-Null
    $archive = Join-Path $folder 'package.zip'
    Receive-Package $wanted $archive
    if ((Get-FileHash -LiteralPath $archive -Algorithm SHA256).Hash -ne $wanted.Sha256) {
        Stop-Setup $EXIT_CHECKSUM "$($wanted.File) is not what was released: its checksum is wrong. Nothing was changed; try again, and if it stays so, tell whoever runs Lumetry"
    }
    Add-Type -AssemblyName System.IO.Compression.FileSystem
    [IO.Compression.ZipFile]::ExtractToDirectory($archive, $folder)
    Remove-Item -LiteralPath $archive
    $setup = Join-Path $folder "$title\setup.ps1"
    $signature = Get-AuthenticodeSignature -LiteralPath $setup
    if ($signature.Status -ne 'Valid' -or $signature.SignerCertificate.GetNameInfo('SimpleName', $false) -ne $signedBy) {
        Stop-Setup $EXIT_CHECKSUM "the package is not signed by `"$signedBy`": its setup.ps1 is $($signature.Status). Nothing was changed; tell whoever runs Lumetry"
    }
    $request = @{ WaitSeconds = $WaitSeconds; AllowCleartext = [bool] $AllowCleartext; ReEnroll = [bool] $ReEnroll }
    foreach ($each in 'BackendUrl', 'EnrollmentToken', 'CollectorUrl', 'CollectorFingerprint', 'Direct', 'Cluster', 'ClusterId', 'ProxyUrl') {
        $value = Get-Variable -Name $each -ValueOnly
        if ($value) { $request[$each] = $value }
    }
    if ($CaFile) { $request.Authority = $authority }
    elseif ($CA) { $request.InstallerAuthority = $CA }
    if ($Set) { $request.Set = @($Set) }
    & $setup -Publisher $signedBy -Request $request
    $code = $LASTEXITCODE
}
catch { [Console]::Error.WriteLine("lumetry: $($_.Exception.Message)") }
finally {
    # A package that is not in use, since something went wrong before it was, goes at once.
    $service = Get-ItemProperty -Path 'HKLM:\SYSTEM\CurrentControlSet\Services\LumetryAgent' -ErrorAction SilentlyContinue
    if (-not $service -or $service.ImagePath -notlike "*$folder*") {
        Remove-Item -LiteralPath $folder -Recurse -Force -ErrorAction SilentlyContinue
    }
    $mutex.ReleaseMutex()
}
exit $code
