/*
 * SYNTHETIC. Written by hand after Microsoft's documentation of the CIM classes and of ConvertTo-Json;
 * nothing here was recorded from a Windows. It shows what the parsers expect, not what a host says.
 */

/** An answer of query.ps1 on a host with IIS, as the text of its line. */
export const WEB_SERVER = JSON.stringify({
  volumes: {
    rows: [
      { DeviceID: "C:", FileSystem: "NTFS", Size: 107374182400, FreeSpace: 26843545600 },
      { DeviceID: "D:", FileSystem: "ReFS", Size: 1099511627776, FreeSpace: 1099511627776 },
      { DeviceID: "E:", FileSystem: null, Size: null, FreeSpace: null },
    ],
  },
  disks: {
    rows: [
      {
        Name: "0 C:",
        DiskReadBytesPersec: 8796093022208,
        DiskWriteBytesPersec: 4398046511104,
        DiskReadsPersec: 123456,
        DiskWritesPersec: 65432,
      },
      { Name: "1 D:", DiskReadBytesPersec: 4096, DiskReadsPersec: 1, DiskWritesPersec: -1 },
      { Name: "_Total", DiskReadBytesPersec: 8796093026304 },
    ],
  },
  network: {
    rows: [
      {
        Name: "Intel[R] Ethernet Connection",
        BytesReceivedPersec: 18446744073709552000,
        BytesSentPersec: 2000,
        PacketsReceivedPersec: 30,
        PacketsSentPersec: 20,
        PacketsReceivedErrors: 1,
        PacketsOutboundErrors: 0,
        PacketsReceivedDiscarded: 2,
        PacketsOutboundDiscarded: 0,
      },
      { Name: "Unplugged", BytesReceivedPersec: 0, PacketsReceivedPersec: 0, PacketsSentPersec: 0 },
      { Name: "isatap.example.com", BytesReceivedPersec: 5, PacketsReceivedPersec: 5 },
    ],
  },
  pageFiles: { rows: { Name: "C:\\pagefile.sys", AllocatedBaseSize: 4096, CurrentUsage: 512 } },
  iisSites: {
    rows: [
      {
        Name: "_Total",
        CurrentConnections: 9,
        TotalMethodRequests: 120,
      },
      {
        Name: "Default Web Site",
        CurrentConnections: 9,
        TotalConnectionAttemptsallinstances: 70,
        TotalGetRequests: 90,
        TotalPostRequests: 20,
        TotalPutRequests: 0,
        TotalDeleteRequests: 0,
        TotalHeadRequests: 4,
        TotalMethodRequests: 120,
        TotalNotFoundErrors: 3,
        TotalBytesReceived: 5000,
        TotalBytesSent: 600000,
      },
    ],
  },
  iisPools: {
    rows: {
      value: [
        {
          Name: "DefaultAppPool",
          CurrentWorkerProcesses: 1,
          TotalApplicationPoolRecycles: 2,
          TotalWorkerProcessFailures: 0,
        },
        { Name: "Old", CurrentWorkerProcesses: 0 },
      ],
      Count: 2,
    },
  },
  iisSiteStates: { rows: [{ Name: "Default Web Site", State: 1 }] },
  iisPoolStates: {
    rows: [
      { Name: "DefaultAppPool", State: 1 },
      { Name: "Old", State: 3 },
      { Name: "Odd", State: 77 },
    ],
  },
});

/** What the web server shows besides CPU, memory and uptime: metric, labels, value. */
export const WEB_SERVER_SAMPLES = [
  'system.filesystem.limit{"mountpoint":"C:","device":"C:","type":"NTFS"} 107374182400',
  'system.filesystem.utilization{"mountpoint":"C:","device":"C:","type":"NTFS"} 0.75',
  'system.filesystem.usage{"mountpoint":"C:","device":"C:","type":"NTFS","state":"used"} 80530636800',
  'system.filesystem.usage{"mountpoint":"C:","device":"C:","type":"NTFS","state":"free"} 26843545600',
  'system.filesystem.limit{"mountpoint":"D:","device":"D:","type":"ReFS"} 1099511627776',
  'system.filesystem.utilization{"mountpoint":"D:","device":"D:","type":"ReFS"} 0',
  'system.filesystem.usage{"mountpoint":"D:","device":"D:","type":"ReFS","state":"used"} 0',
  'system.filesystem.usage{"mountpoint":"D:","device":"D:","type":"ReFS","state":"free"} 1099511627776',
  'system.disk.io{"device":"PhysicalDrive0","direction":"read"} 8796093022208',
  'system.disk.io{"device":"PhysicalDrive0","direction":"write"} 4398046511104',
  'system.disk.operations{"device":"PhysicalDrive0","direction":"read"} 123456',
  'system.disk.operations{"device":"PhysicalDrive0","direction":"write"} 65432',
  'system.disk.io{"device":"PhysicalDrive1","direction":"read"} 4096',
  'system.disk.operations{"device":"PhysicalDrive1","direction":"read"} 1',
  'system.network.io{"device":"Intel[R] Ethernet Connection","direction":"receive"} 18446744073709552000',
  'system.network.io{"device":"Intel[R] Ethernet Connection","direction":"transmit"} 2000',
  'system.network.packets{"device":"Intel[R] Ethernet Connection","direction":"receive"} 30',
  'system.network.packets{"device":"Intel[R] Ethernet Connection","direction":"transmit"} 20',
  'system.network.errors{"device":"Intel[R] Ethernet Connection","direction":"receive"} 1',
  'system.network.errors{"device":"Intel[R] Ethernet Connection","direction":"transmit"} 0',
  'system.network.dropped{"device":"Intel[R] Ethernet Connection","direction":"receive"} 2',
  'system.network.dropped{"device":"Intel[R] Ethernet Connection","direction":"transmit"} 0',
  'system.paging.usage{"state":"used"} 536870912',
  'system.paging.usage{"state":"free"} 3758096384',
  'iis.connection.active{"site":"Default Web Site"} 9',
  'iis.connection.attempt.count{"site":"Default Web Site"} 70',
  'iis.request.count{"site":"Default Web Site","method":"GET"} 90',
  'iis.request.count{"site":"Default Web Site","method":"POST"} 20',
  'iis.request.count{"site":"Default Web Site","method":"PUT"} 0',
  'iis.request.count{"site":"Default Web Site","method":"DELETE"} 0',
  'iis.request.count{"site":"Default Web Site","method":"HEAD"} 4',
  'iis.request.not_found{"site":"Default Web Site"} 3',
  'iis.network.io{"site":"Default Web Site","direction":"receive"} 5000',
  'iis.network.io{"site":"Default Web Site","direction":"transmit"} 600000',
  'iis.request.count{"site":"Default Web Site","method":"other"} 6',
  'iis.application_pool.worker_processes{"application_pool":"DefaultAppPool"} 1',
  'iis.application_pool.recycles{"application_pool":"DefaultAppPool"} 2',
  'iis.application_pool.worker_failures{"application_pool":"DefaultAppPool"} 0',
  'iis.application_pool.worker_processes{"application_pool":"Old"} 0',
  'iis.site.state{"site":"Default Web Site","state":"starting"} 0',
  'iis.site.state{"site":"Default Web Site","state":"started"} 1',
  'iis.site.state{"site":"Default Web Site","state":"stopping"} 0',
  'iis.site.state{"site":"Default Web Site","state":"stopped"} 0',
  'iis.site.state{"site":"Default Web Site","state":"unknown"} 0',
  'iis.application_pool.state{"application_pool":"DefaultAppPool","state":"starting"} 0',
  'iis.application_pool.state{"application_pool":"DefaultAppPool","state":"started"} 1',
  'iis.application_pool.state{"application_pool":"DefaultAppPool","state":"stopping"} 0',
  'iis.application_pool.state{"application_pool":"DefaultAppPool","state":"stopped"} 0',
  'iis.application_pool.state{"application_pool":"DefaultAppPool","state":"unknown"} 0',
  'iis.application_pool.state{"application_pool":"Old","state":"starting"} 0',
  'iis.application_pool.state{"application_pool":"Old","state":"started"} 0',
  'iis.application_pool.state{"application_pool":"Old","state":"stopping"} 0',
  'iis.application_pool.state{"application_pool":"Old","state":"stopped"} 1',
  'iis.application_pool.state{"application_pool":"Old","state":"unknown"} 0',
];

/** A host without IIS, whose performance counters are broken, as after a failed update. */
export const BROKEN_COUNTERS = JSON.stringify({
  volumes: { rows: [{ DeviceID: "C:", FileSystem: "NTFS", Size: 1000, FreeSpace: 250 }] },
  disks: { error: "Invalid class " },
  network: { error: "Invalid class " },
  pageFiles: { rows: [] },
});
