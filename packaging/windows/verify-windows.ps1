<#
.SYNOPSIS
Verifies an installation of the Lumetry agent on this machine: what no test can see that does not run on Windows.

.DESCRIPTION
Looks at the service, its account and recovery, rights on folders and registry, the event log, signatures, and IIS where it is
installed. Changes nothing, but for -TestRecovery and -TestStop. Tells each finding in a line, and ends with 0 if all are well,
1 if one is not, and 3 when the session is not elevated.

.PARAMETER TestRecovery
End the agent by force, and see Windows start it again.
.PARAMETER TestStop
Restart the service, and see that it stops in an orderly way.
.PARAMETER Publisher
Who has to have signed the package; not checked unless given.
#>
[CmdletBinding()]
param([switch] $TestRecovery, [switch] $TestStop, [string] $Publisher)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2.0

$NAME = 'LumetryAgent'
$ACCOUNT = 'NT SERVICE\LumetryAgent'
$KEY = "HKLM:\SYSTEM\CurrentControlSet\Services\$NAME"
$EVENT_STARTED = 1; $EVENT_STOPPED = 2; $EVENT_CRASHED = 4
$state = Join-Path $env:ProgramData 'Lumetry\Agent'
$script:failures = 0

# Runs one check, which answers nothing when all is well, or what is wrong.
function Test-That([string] $What, [scriptblock] $Check) {
    try { $wrong = & $Check } catch { $wrong = $_.Exception.Message }
    if ($wrong) {
        $script:failures++
        Write-Output "failed   ${What}: $wrong"
    }
    else { Write-Output "ok       $What" }
}

function Get-Query([string] $Kind) { (& "$env:SystemRoot\System32\sc.exe" $Kind $NAME) -join "`n" }

# Whoever has a right on a folder or key besides the system, administrators and these.
function Get-Stranger([string] $Path, [string[]] $Allowed) {
    $known = @('S-1-5-18', 'S-1-5-32-544') + $Allowed
    foreach ($rule in (Get-Acl -Path $Path).GetAccessRules($true, $true, [Security.Principal.SecurityIdentifier])) {
        if ($known -notcontains $rule.IdentityReference.Value) { $rule.IdentityReference.Value }
    }
}

function Get-Right([string] $Path) {
    foreach ($rule in (Get-Acl -Path $Path).GetAccessRules($true, $true, [Security.Principal.SecurityIdentifier])) {
        if ($rule.IdentityReference.Value -eq $sid) { $rule.FileSystemRights }
    }
}

function Get-Event([int] $Id, [DateTime] $Since) {
    $filter = @{ LogName = 'Application'; ProviderName = $NAME; Id = $Id; StartTime = $Since }
    Get-WinEvent -FilterHashtable $filter -MaxEvents 1 -ErrorAction SilentlyContinue
}

function Get-Agent { Get-CimInstance -ClassName Win32_Process -Filter "Name = 'node.exe'" | Where-Object { $_.ExecutablePath -like "$folder\*" } | Select-Object -First 1 }

$identity = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
if (-not $identity.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    [Console]::Error.WriteLine('lumetry: this needs an elevated PowerShell session')
    exit 3
}
$service = Get-CimInstance -ClassName Win32_Service -Filter "Name = '$NAME'"
if (-not $service) {
    [Console]::Error.WriteLine('lumetry: there is no service LumetryAgent on this machine')
    exit 1
}
$folder = if ($service.PathName -match '^"?(.+)\\bin\\lumetry-svc\.exe') { $Matches[1] } else { '' }
$sid = (New-Object Security.Principal.NTAccount $ACCOUNT).Translate([Security.Principal.SecurityIdentifier]).Value
$begun = [DateTime]::Now.AddYears(-1)

Test-That 'the service runs, and starts with Windows' {
    if ($service.State -ne 'Running' -or $service.StartMode -ne 'Auto') { "$($service.State), $($service.StartMode)" }
}
Test-That "its account is $ACCOUNT" { if ($service.StartName -ne $ACCOUNT) { $service.StartName } }
Test-That 'its program is below Program Files' { if ($folder -notlike "$env:ProgramFiles\Lumetry\Agent\*") { $service.PathName } }
Test-That 'the agent runs under that account' {
    $owner = Invoke-CimMethod -InputObject (Get-Agent) -MethodName GetOwner
    if ("$($owner.Domain)\$($owner.User)" -ne $ACCOUNT) { "$($owner.Domain)\$($owner.User)" }
}
Test-That 'that account is no administrator' {
    if (Get-LocalGroupMember -SID 'S-1-5-32-544' | Where-Object { $_.SID.Value -eq $sid }) { 'it is a member of the group' }
}
Test-That 'that account may read performance counters' {
    if (-not (Get-LocalGroupMember -SID 'S-1-5-32-558' | Where-Object { $_.SID.Value -eq $sid })) { 'it is no Performance Monitor User' }
}
Test-That 'recovery restarts it, also after an end with an error, and counts anew after a day' {
    $recovery = Get-Query 'qfailure'
    if (([regex]::Matches($recovery, 'RESTART')).Count -lt 3 -or $recovery -notmatch '86400') { $recovery }
    if ((Get-Query 'qfailureflag') -notmatch 'TRUE') { 'not after an end with an error' }
}
Test-That 'its identifier can be given rights' { if ((Get-Query 'qsidtype') -notmatch 'UNRESTRICTED') { Get-Query 'qsidtype' } }
Test-That 'it has no privilege but to traverse folders' {
    $privileges = [regex]::Matches((Get-Query 'qprivs'), 'Se\w+Privilege') | ForEach-Object { $_.Value }
    if (@($privileges) -join ' ' -ne 'SeChangeNotifyPrivilege') { @($privileges) -join ' ' }
}
Test-That 'its folders are for the system, administrators and itself alone' {
    foreach ($each in $state, "$state\config", "$state\data") { Get-Stranger $each @($sid) }
}
Test-That 'it may write its data, and not its settings' {
    if (-not ((Get-Right "$state\data") -band [Security.AccessControl.FileSystemRights]::Write)) { 'it cannot write data' }
    if ((Get-Right "$state\config") -band [Security.AccessControl.FileSystemRights]::WriteData) { 'it can write settings' }
}
Test-That 'nobody else reads its key in the registry' { Get-Stranger $KEY @() }
Test-That 'the enrollment token is gone from its environment' {
    $variables = (Get-ItemProperty -Path $KEY).PSObject.Properties['Environment']
    if ($variables -and ($variables.Value -join ' ') -match 'LUMETRY_ENROLLMENT_TOKEN') { 'it is still there' }
}
Test-That 'its messages in the Application event log are readable' {
    $found = Get-Event $EVENT_STARTED $begun
    if (-not $found) { 'there is none of its start' }
    elseif ($found.Message -notlike 'The Lumetry agent has started:*') { $found.Message }
}
Test-That 'it is connected, and measures all that it should' {
    $status = (& "$folder\bin\node.exe" "$folder\app\agent.mjs" status --json --data-dir "$state\data") -join "`n" | ConvertFrom-Json
    if ($status.state -ne 'connected') { "$($status.state): $($status.problem)" }
    if ($status.warnings -contains 'SAMPLING_INCOMPLETE') { "look at $state\data\agent.log" }
}
Test-That 'every program and script is signed, and valid' {
    foreach ($file in Get-ChildItem -LiteralPath $folder -Recurse -File -Include '*.exe', '*.node', '*.ps1', '*.psd1') {
        $signature = Get-AuthenticodeSignature -LiteralPath $file.FullName
        if ($signature.Status -ne 'Valid') { "$($file.Name) is $($signature.Status)" }
        elseif ($Publisher -and $file.Name -ne 'node.exe' -and $signature.SignerCertificate.GetNameInfo('SimpleName', $false) -ne $Publisher) { "$($file.Name) is somebody else's" }
    }
}
Test-That 'uninstall.ps1 is where the documents say' {
    if (-not (Test-Path -LiteralPath "$env:ProgramFiles\Lumetry\Agent\uninstall.ps1")) { 'it is not there' }
}
if (Test-Path 'HKLM:\SOFTWARE\Microsoft\InetStp') {
    Test-That 'IIS Management Scripts and Tools are installed' {
        $feature = Get-WindowsOptionalFeature -Online -FeatureName IIS-ManagementScriptingTools
        if ("$($feature.State)" -ne 'Enabled') { "$($feature.State)" }
    }
    Test-That "it may use the namespace of IIS, from this machine, and call methods" {
        $answer = Invoke-CimMethod -Namespace root/WebAdministration -ClassName __SystemSecurity -MethodName GetSD
        $descriptor = New-Object Security.AccessControl.RawSecurityDescriptor ([byte[]] $answer.SD), 0
        $rule = $descriptor.DiscretionaryAcl | Where-Object { $_.SecurityIdentifier.Value -eq $sid }
        if (-not $rule) { 'it has no right' } elseif ($rule.AccessMask -ne 3) { "its rights are $($rule.AccessMask)" }
    }
}
if ($TestStop) {
    Test-That 'it stops in an orderly way' {
        $since = [DateTime]::Now
        Restart-Service -Name $NAME
        if (-not (Get-Event $EVENT_STOPPED $since)) { 'the event log does not say so' }
    }
}
if ($TestRecovery) {
    Test-That 'Windows starts it again after a crash' {
        $since = [DateTime]::Now
        $before = (Get-Agent).ProcessId
        Stop-Process -Id $before -Force
        for ($left = 90; $left -gt 0; $left--) {
            Start-Sleep -Seconds 1
            $now = Get-Agent
            if ($now -and $now.ProcessId -ne $before) { break }
        }
        if ($left -eq 0) { 'it was not started within 90 seconds' }
        if (-not (Get-Event $EVENT_CRASHED $since)) { 'the event log does not tell of the crash' }
    }
}
if ($script:failures -gt 0) {
    Write-Output "$($script:failures) failed"
    exit 1
}
Write-Output 'all is well'
