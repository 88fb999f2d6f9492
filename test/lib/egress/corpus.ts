/** Where a way of writing leads to in the end, as people would judge it. */
export type Place = "metadata" | "link-local" | "loopback" | "private" | "public" | "nowhere";

export interface Entry {
  /** The host part of a URL. */
  host: string;
  place: Place;
  /** The only address that may be connected to, where the place may be. */
  address: string;
}

const ADDRESSES: Record<string, Place> = {
  "127.0.0.1": "loopback",
  "127.8.9.10": "loopback",
  "0.0.0.0": "nowhere",
  "169.254.169.254": "metadata",
  "169.254.170.2": "link-local",
  "100.100.100.200": "metadata",
  "168.63.129.16": "metadata",
  "192.0.0.192": "metadata",
  "10.1.2.3": "private",
  "192.168.0.1": "private",
  "8.8.4.4": "public",
};

const hex = (value: number, width = 0) => value.toString(16).padStart(width, "0");
const octal = (value: number, width = 0) => `0${value.toString(8).padStart(width, "0")}`;

/** Ways to write an IPv4 address that something or other has taken for one. */
function waysToWrite(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  const number = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  const high = hex((a << 8) | b);
  const low = hex((c << 8) | d);
  const circled = (text: string) =>
    text.replace(/\d/g, (digit) =>
      digit === "0" ? "⓪" : String.fromCodePoint(0x245f + Number(digit)),
    );
  const wide = (text: string) =>
    text.replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)));
  return [
    address,
    `${address}.`,
    `${number}`,
    `0x${hex(number)}`,
    `0X${hex(number, 10).toUpperCase()}`,
    octal(number),
    `0x${hex(a)}.0x${hex(b)}.0x${hex(c)}.0x${hex(d)}`,
    `${octal(a)}.${octal(b)}.${octal(c)}.${octal(d)}`,
    `${octal(a, 8)}.${octal(b, 8)}.${octal(c, 8)}.${octal(d, 8)}`,
    `${a}.${(b << 16) | (c << 8) | d}`,
    `${a}.${b}.${(c << 8) | d}`,
    `0x${hex(a)}.${octal(b)}.${c}.${d}`,
    `${a}.${b}.${c}.0x${hex(d)}`,
    circled(address),
    wide(address),
    address.replaceAll(".", "。"),
    address.replaceAll(".", "%2e"),
    address.replace(/^\d/, (digit) => `%3${digit}`),
    `${number + 2 ** 32}`,
    `[::ffff:${address}]`,
    `[::ffff:${high}:${low}]`,
    `[0:0:0:0:0:ffff:${high}:${low}]`,
    `[0000:0000:0000:0000:0000:ffff:${hex((a << 8) | b, 4)}:${hex((c << 8) | d, 4)}]`,
  ];
}

/** IPv6 addresses that lead to an IPv4 address by way of a tunnel or a gateway. */
function tunnelsTo(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  const high = hex((a << 8) | b);
  const low = hex((c << 8) | d);
  const inverted = `${hex(0xffff ^ ((a << 8) | b))}:${hex(0xffff ^ ((c << 8) | d))}`;
  return [
    `[::${address}]`,
    `[::${high}:${low}]`,
    `[2002:${high}:${low}::]`,
    `[2002:${high}:${low}::1]`,
    `[2001:0:${high}:${low}::1]`,
    `[2001::${inverted}]`,
    `[2001:0:4136:e378:8000:63bf:${inverted}]`,
    `[64:ff9b:1::${high}:${low}]`,
    `[fd00::5efe:${address}]`,
    `[fd00::200:5efe:${high}:${low}]`,
    `[fe80::5efe:${high}:${low}]`,
  ];
}

const ELSEWHERE: Entry[] = [
  { host: "localhost", place: "loopback", address: "127.0.0.1" },
  { host: "LOCALHOST", place: "loopback", address: "127.0.0.1" },
  { host: "localhost.", place: "loopback", address: "127.0.0.1" },
  { host: "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", place: "loopback", address: "127.0.0.1" },
  { host: "[::1]", place: "loopback", address: "::1" },
  { host: "[0:0:0:0:0:0:0:1]", place: "loopback", address: "::1" },
  { host: "[::]", place: "nowhere", address: "::" },
  { host: "[fe80::1]", place: "link-local", address: "fe80::1" },
  { host: "[fe80::1%25lo]", place: "link-local", address: "fe80::1" },
  { host: "[fe80::a9fe:a9fe]", place: "link-local", address: "fe80::a9fe:a9fe" },
  { host: "[febf::1]", place: "link-local", address: "febf::1" },
  { host: "[fec0::1]", place: "nowhere", address: "fec0::1" },
  { host: "[fd00:ec2::254]", place: "metadata", address: "fd00:ec2::254" },
  { host: "[fd00:0ec2:0000::254]", place: "metadata", address: "fd00:ec2::254" },
  { host: "[fd20:ce::254]", place: "metadata", address: "fd20:ce::254" },
  { host: "[fd00:42::42]", place: "metadata", address: "fd00:42::42" },
  { host: "[ff02::1]", place: "nowhere", address: "ff02::1" },
  { host: "[ff0e::1]", place: "nowhere", address: "ff0e::1" },
  { host: "224.0.0.1", place: "nowhere", address: "224.0.0.1" },
  { host: "239.255.255.250", place: "nowhere", address: "239.255.255.250" },
  { host: "255.255.255.255", place: "nowhere", address: "255.255.255.255" },
  { host: "240.0.0.1", place: "nowhere", address: "240.0.0.1" },
  { host: "0.1.2.3", place: "nowhere", address: "0.1.2.3" },
  { host: "0", place: "nowhere", address: "0.0.0.0" },
  { host: "[fd12:3456::1]", place: "private", address: "fd12:3456::1" },
  { host: "100.64.0.9", place: "private", address: "100.64.0.9" },
  { host: "172.31.255.1", place: "private", address: "172.31.255.1" },
  // Octal, whatever it looks like.
  { host: "00127.0.0.1", place: "public", address: "87.0.0.1" },
  { host: "012.1.2.3", place: "private", address: "10.1.2.3" },
  { host: "172.32.0.1", place: "public", address: "172.32.0.1" },
  { host: "[2606:4700:4700::1111]", place: "public", address: "2606:4700:4700::1111" },
  // Gateways of NAT64 lead to the IPv4 address that is in them.
  { host: "[64:ff9b::a9fe:a9fe]", place: "metadata", address: "64:ff9b::a9fe:a9fe" },
  { host: "[64:ff9b::7f00:1]", place: "loopback", address: "64:ff9b::7f00:1" },
  { host: "[64:ff9b::169.254.169.254]", place: "metadata", address: "64:ff9b::a9fe:a9fe" },
  { host: "[64:ff9b::a01:203]", place: "private", address: "64:ff9b::a01:203" },
  { host: "[64:ff9b::808:404]", place: "public", address: "64:ff9b::808:404" },
  // Names, by the zone file of the test.
  { host: "metadata.google.internal", place: "metadata", address: "169.254.169.254" },
  { host: "metadata", place: "metadata", address: "169.254.169.254" },
  { host: "loop.test", place: "loopback", address: "127.0.0.1" },
  { host: "loop6.test", place: "loopback", address: "::1" },
  { host: "mapped.test", place: "metadata", address: "169.254.169.254" },
  { host: "nat64.test", place: "metadata", address: "64:ff9b::a9fe:a9fe" },
  { host: "sixtofour.test", place: "metadata", address: "2002:a9fe:a9fe::1" },
  { host: "alias.test", place: "metadata", address: "169.254.169.254" },
  { host: "zero.test", place: "nowhere", address: "0.0.0.0" },
  { host: "link.test", place: "link-local", address: "169.254.7.7" },
  { host: "inside.test", place: "private", address: "10.1.2.3" },
  { host: "INSIDE.TEST.", place: "private", address: "10.1.2.3" },
  { host: "outside.test", place: "public", address: "8.8.4.4" },
  { host: "xn--bcher-kva.test", place: "private", address: "10.1.2.3" },
  { host: "bücher.test", place: "private", address: "10.1.2.3" },
];

/** Hosts, some hundreds. */
export const HOSTS: Entry[] = [
  ...Object.entries(ADDRESSES).flatMap(([address, place]) => [
    ...waysToWrite(address).map((host) => ({ host, place, address })),
    ...tunnelsTo(address).map((host) => ({ host, place: "nowhere" as const, address })),
  ]),
  ...ELSEWHERE,
];

/** Whole URLs that look like one place and lead to another, or nowhere. */
export const URLS: (Omit<Entry, "host"> & { url: string })[] = [
  ...[
    "http://inside.test@169.254.169.254/",
    "http://inside.test:80@169.254.169.254/",
    "http://169.254.169.254:80#@inside.test/",
    "http://169.254.169.254:80?@inside.test/",
    "http://169.254.169.254:80\\@inside.test/",
    "http:\\\\169.254.169.254\\",
    "http:/169.254.169.254/",
    "http:169.254.169.254/",
    "http:///169.254.169.254/",
    "http://\t169.254.169.254/",
    "http://169.254.\n169.254/",
    "  http://169.254.169.254/  ",
    "hTTp://169.254.169.254/",
    "http://169.254.169.254:0080/",
    "http://inside.test\u0000@169.254.169.254/",
    "http://[::ffff:169.254.169.254%25lo]/",
    "http://169.254.169.254%00inside.test/",
    "http://inside.test%2f@169.254.169.254/",
    "http://%31%36%39.254.169.254/",
    "http://user:pass@metadata.google.internal/",
  ].map((url) => ({ url, place: "metadata" as const, address: "169.254.169.254" })),
  ...[
    "file:///etc/passwd",
    "gopher://127.0.0.1:70/_x",
    "ftp://127.0.0.1/",
    "ws://127.0.0.1/",
    "unix:/var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "jar:http://127.0.0.1!/",
    "dict://127.0.0.1:11211/stats",
    "ldap://127.0.0.1/",
    "//127.0.0.1/",
    "127.0.0.1",
    "http://",
    "http://?",
    "http://#",
    "http://.",
    "http://..",
    "http://[",
    "http://[::1",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:-1/",
    "http://1.2.3.4.5/",
    "http://256.256.256.256/",
    "http://0x100000000/",
    "http://a b/",
    "http://a%20b/",
    "http://a<b/",
    "http://exa\u00admple%00/",
  ].map((url) => ({ url, place: "nowhere" as const, address: "" })),
];
