<#
.SYNOPSIS
Removes the Lumetry agent: its service, its program files and its state.

.DESCRIPTION
Works on what is half installed, too, and ends with 0 when nothing is left to remove, 3 when the session is not elevated,
and 1 when something could not be removed.

.PARAMETER KeepState
Keep identity and buffered data, for troubleshooting.
#>
[CmdletBinding()]
param([switch] $KeepState)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2.0

$EXIT_ELEVATION = 3
$NAME = 'LumetryAgent'
$SERVICES = 'HKLM:\SYSTEM\CurrentControlSet\Services'
$programs = Join-Path $env:ProgramFiles 'Lumetry\Agent'
$state = Join-Path $env:ProgramData 'Lumetry\Agent'

$identity = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
if (-not $identity.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    [Console]::Error.WriteLine('lumetry: this needs an elevated PowerShell session: open PowerShell by "Run as administrator"')
    exit $EXIT_ELEVATION
}

# Of the package in use, or else of any that is there.
function Find-Folder {
    $service = Get-ItemProperty -Path "$SERVICES\$NAME" -ErrorAction SilentlyContinue
    if ($service -and $service.ImagePath -match '^"?(.+)\\bin\\lumetry-svc\.exe') { return $Matches[1] }
    $found = Get-ChildItem -Path "$programs\versions\*\*\bin\lumetry-svc.exe" -ErrorAction SilentlyContinue | Select-Object -First 1
    if ($found) { return Split-Path -Parent (Split-Path -Parent $found.FullName) }
}

# Without a package that runs, Windows' own tools have to do.
function Remove-Registration {
    & "$env:SystemRoot\System32\sc.exe" stop $NAME | Out-Null
    & "$env:SystemRoot\System32\sc.exe" delete $NAME | Out-Null
    & "$env:SystemRoot\System32\schtasks.exe" /Delete /F /TN LumetryAgentEnrollment 2>&1 | Out-Null
    Remove-Item -Path "$SERVICES\EventLog\Application\$NAME" -Recurse -ErrorAction SilentlyContinue
}

# "rd" takes links away without following them. Files may be held open for a moment after the service has stopped.
function Remove-Folder([string] $Folder) {
    for ($left = 30; (Test-Path -LiteralPath $Folder) -and $left -gt 0; $left--) {
        & "$env:SystemRoot\System32\cmd.exe" /d /c "rd /s /q `"$Folder`"" 2>&1 | Out-Null
        if (Test-Path -LiteralPath $Folder) { Start-Sleep -Seconds 1 }
    }
    if (Test-Path -LiteralPath $Folder) {
        [Console]::Error.WriteLine("lumetry: $Folder cannot be removed; close what uses it and run this again")
        return $false
    }
    $parent = Split-Path -Parent $Folder
    if ((Test-Path -LiteralPath $parent) -and -not (Get-ChildItem -LiteralPath $parent -Force)) { Remove-Item -LiteralPath $parent }
    return $true
}

Set-Location -LiteralPath $env:SystemRoot
$ErrorActionPreference = 'Continue'
$env:NODE_OPTIONS = $null
$isUnregistered = $false
$folder = Find-Folder
if ($folder -and (Test-Path -LiteralPath "$folder\bin\node.exe") -and (Test-Path -LiteralPath "$folder\app\setup.mjs")) {
    & "$folder\bin\node.exe" "$folder\app\setup.mjs" uninstall
    $isUnregistered = $LASTEXITCODE -eq 0
}
if (-not $isUnregistered) { Remove-Registration }
if (Get-Service -Name $NAME -ErrorAction SilentlyContinue) {
    [Console]::Error.WriteLine('lumetry: the service LumetryAgent cannot be removed; close the Services window and run this again')
    exit 1
}
$isGone = Remove-Folder $programs
if ($KeepState) { Write-Output "lumetry: the agent is removed; identity, queue and settings are kept in $state" }
else {
    $isGone = (Remove-Folder $state) -and $isGone
    if ($isGone) { Write-Output 'lumetry: the agent is removed, and nothing of it is left; revoke it in Lumetry, too' }
}
exit $(if ($isGone) { 0 } else { 1 })
