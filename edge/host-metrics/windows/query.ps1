# Answers each line on standard input with one line of JSON: what the agent cannot learn of Windows
# without it. Ends when the input ends. A section that fails costs that section only.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false

function Read-Section([scriptblock] $Query) {
    try { @{ rows = @(& $Query) } } catch { @{ error = [string] $_ } }
}

function Read-State([string] $Class) {
    Get-CimInstance -Namespace 'root/WebAdministration' -ClassName $Class | ForEach-Object {
        $state = Invoke-CimMethod -InputObject $_ -MethodName GetState
        New-Object psobject -Property @{ Name = $_.Name; State = [int] $state.ReturnValue }
    }
}

$sections = [ordered] @{
    volumes = {
        Get-CimInstance -ClassName Win32_LogicalDisk -Filter 'DriveType = 3' |
            Select-Object -Property @(
                'DeviceID', 'FileSystem', 'Size', 'FreeSpace'
            )
    }
    disks = {
        Get-CimInstance -ClassName Win32_PerfRawData_PerfDisk_PhysicalDisk |
            Select-Object -Property @(
                'Name', 'DiskReadBytesPersec', 'DiskWriteBytesPersec', 'DiskReadsPersec', 'DiskWritesPersec'
            )
    }
    network = {
        Get-CimInstance -ClassName Win32_PerfRawData_Tcpip_NetworkInterface |
            Select-Object -Property @(
                'Name', 'BytesReceivedPersec', 'BytesSentPersec', 'PacketsReceivedPersec',
                'PacketsSentPersec', 'PacketsReceivedErrors', 'PacketsOutboundErrors',
                'PacketsReceivedDiscarded', 'PacketsOutboundDiscarded'
            )
    }
    pageFiles = {
        Get-CimInstance -ClassName Win32_PageFileUsage | Select-Object -Property @(
                'Name', 'AllocatedBaseSize', 'CurrentUsage'
            )
    }
}

$iisSections = [ordered] @{
    iisSites = {
        Get-CimInstance -ClassName Win32_PerfRawData_W3SVC_WebService |
            Select-Object -Property @(
                'Name', 'CurrentConnections', 'TotalConnectionAttemptsallinstances', 'TotalGetRequests',
                'TotalPostRequests', 'TotalPutRequests', 'TotalDeleteRequests', 'TotalHeadRequests',
                'TotalMethodRequests', 'TotalNotFoundErrors', 'TotalBytesReceived', 'TotalBytesSent'
            )
    }
    iisPools = {
        Get-CimInstance -ClassName Win32_PerfRawData_APPPOOLCountersProvider_APPPOOLWAS |
            Select-Object -Property @(
                'Name', 'CurrentWorkerProcesses', 'TotalApplicationPoolRecycles',
                'TotalWorkerProcessFailures'
            )
    }
    iisSiteStates = { Read-State 'Site' }
    iisPoolStates = { Read-State 'ApplicationPool' }
}

while ($null -ne [Console]::In.ReadLine()) {
    $answer = [ordered] @{}
    foreach ($name in $sections.Keys) { $answer[$name] = Read-Section $sections[$name] }
    if (Test-Path 'HKLM:\SOFTWARE\Microsoft\InetStp') {
        foreach ($name in $iisSections.Keys) { $answer[$name] = Read-Section $iisSections[$name] }
    }
    [Console]::Out.WriteLine((ConvertTo-Json -InputObject $answer -Compress -Depth 4))
    [Console]::Out.Flush()
}
