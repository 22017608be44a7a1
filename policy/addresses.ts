/**
 * Which hosts the proxy may be sent to by somebody who writes a policy: those
 * anybody on the internet can reach, and those its operator allows besides.
 * Pure; names are resolved elsewhere.
 */

/** Blocks that are not reachable from everywhere (IANA's special-purpose registries): address, prefix length. */
const SPECIAL_IPV4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8], // "this network"; 0.0.0.0 reaches the machine itself
  ["10.0.0.0", 8], // private
  ["100.64.0.0", 10], // behind a carrier's NAT
  ["127.0.0.0", 8], // loopback
  ["169.254.0.0", 16], // link-local, and where clouds keep their metadata
  ["172.16.0.0", 12], // private
  ["192.0.0.0", 24], // protocol assignments
  ["192.0.2.0", 24], // documentation
  ["192.88.99.0", 24], // 6to4 relays, gone
  ["192.168.0.0", 16], // private
  ["198.18.0.0", 15], // benchmarks
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0", 24], // documentation
  ["224.0.0.0", 4], // multicast
  ["240.0.0.0", 4], // reserved, and broadcast
];

/** Within global unicast (2000::/3), which is all of IPv6 that may be public at all. */
const SPECIAL_IPV6: readonly (readonly [string, number])[] = [
  ["2001::", 23], // protocol assignments: Teredo, ORCHID, benchmarks
  ["2001:db8::", 32], // documentation
  ["2002::", 16], // 6to4, which holds an IPv4 address
  ["3fff::", 20], // documentation
];

/** They hold an IPv4 address in their last 32 bits, which is the one that is reached. */
const EMBEDDING_IPV6: readonly (readonly [string, number])[] = [
  ["::ffff:0:0", 96], // IPv4-mapped
  ["64:ff9b::", 96], // NAT64: what DNS64 makes of a public IPv4 address
];

/** Names that mean the machine itself or its own network, whatever they resolve to. */
const LOCAL_NAMES = /^(?:[^.]+|(?:.*\.)?(?:localhost|local|internal|home\.arpa|lan|intranet))$/;

/**
 * Whether this machine alone is meant, so that what goes there need not be encrypted.
 * @param hostname as `URL` has it
 */
export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

/**
 * Whether an IP address is one that anybody on the internet can reach. What is
 * no address, zone ids included, is not.
 * @param address as DNS or a URL has it: `93.184.215.14`, `2606:2800::1`, `[2606:2800::1]`
 */
export function isPublicAddress(address: string): boolean {
  const bare = address.replace(/^\[(.*:.*)\]$/, "$1");
  if (!bare.includes(":")) {
    const bits = ipv4Bits(bare);
    return bits !== null && !SPECIAL_IPV4.some((block) => within(bits, block, 32, ipv4Bits));
  }
  const bits = ipv6Bits(bare);
  if (bits === null) return false;
  if (EMBEDDING_IPV6.some((block) => within(bits, block, 128, ipv6Bits))) {
    const last = Number(bits & 0xffff_ffffn);
    return isPublicAddress([24, 16, 8, 0].map((shift) => (last >>> shift) & 255).join("."));
  }
  return bits >> 125n === 0b001n &&
    !SPECIAL_IPV6.some((block) => within(bits, block, 128, ipv6Bits));
}

/** Whether a URL's host is an IP address; a URL has turned `0x7f.1` and `2130706433` into one. */
export function isIpAddress(hostname: string): boolean {
  return hostname.startsWith("[") || ipv4Bits(hostname) !== null;
}

/**
 * Whether the operator allows a host besides the public ones, by the name in
 * the address and its port.
 * @param allow `host`, `host:port`, `host:*`; the host may begin with `*.`; in
 *   lower case. Without a port: that of the address's scheme.
 */
export function isAllowedHost(url: URL, allow: readonly string[]): boolean {
  return allow.some((pattern) => {
    const parts = /^(.*?)(?::(\*|\d+))?$/.exec(pattern);
    if (parts === null) return false;
    const [, host, port] = parts;
    return portMatches(url, port) && hostMatches(hostOf(url), host);
  });
}

/**
 * What is wrong with an address that the proxy is told to call, as far as the
 * address itself shows; null: nothing, though its name may still resolve to a
 * private address, which is looked at whenever it is used.
 */
export function outgoingFault(address: string, allow: readonly string[]): string | null {
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol)) return "expected an absolute https address";
  if (url.username !== "" || url.password !== "") return "expected an address without credentials";
  if (isAllowedHost(url, allow)) return null;
  if (url.protocol !== "https:") {
    return "expected an https address, or a host that the operator allows";
  }
  const host = hostOf(url);
  const reachable = isIpAddress(host) ? isPublicAddress(host) : !LOCAL_NAMES.test(host);
  return reachable ? null : "expected a public address, or a host that the operator allows";
}

/** A dot at the end means the same name. */
function hostOf({ hostname }: URL): string {
  return hostname.toLowerCase().replace(/\.$/, "");
}

function hostMatches(host: string, pattern: string): boolean {
  if (pattern.startsWith("*.")) {
    return host.length > pattern.length - 1 && host.endsWith(pattern.slice(1));
  }
  return host === (pattern.startsWith("[") ? URL.parse(`http://${pattern}/`)?.hostname : pattern);
}

function portMatches({ port, protocol }: URL, pattern: string | undefined): boolean {
  if (pattern === "*") return true;
  const standard = protocol === "https:" ? "443" : "80";
  return (port || standard) === (pattern ?? standard);
}

type Bits = (address: string) => bigint | null;

function within(
  bits: bigint,
  [base, length]: readonly [string, number],
  size: number,
  read: Bits,
): boolean {
  const start = read(base);
  const rest = BigInt(size - length);
  return start !== null && bits >> rest === start >> rest;
}

/** null: not four decimal numbers. */
function ipv4Bits(text: string): bigint | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) return null;
  const numbers = parts.map(Number);
  if (numbers.some((number) => number > 255)) return null;
  return numbers.reduce((bits, number) => bits << 8n | BigInt(number), 0n);
}

/** null: no IPv6 address. URLs know how to read one, and write it in hexadecimal groups alone. */
function ipv6Bits(text: string): bigint | null {
  const hostname = URL.parse(`http://[${text}]/`)?.hostname;
  if (hostname === undefined) return null;
  const [head, tail] = hostname.slice(1, -1).split("::").map((half) =>
    half === "" ? [] : half.split(":")
  );
  const zeros = tail === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...Array<string>(zeros).fill("0"), ...(tail ?? [])];
  return groups.reduce((bits, group) => bits << 16n | BigInt(`0x${group}`), 0n);
}
