/**
 * Who sent a request, and to which address, where a reverse proxy stands before
 * this one. What it says counts with the setting TRUST_PROXY alone: anybody can
 * send such headers, and addresses in answers are made from them.
 */
import { BlockList, isIP } from "node:net";
import { SettingError } from "./setting_error.ts";

export interface ProxyTrust {
  /** `forwarded`: the header of RFC 7239; else the older `X-Forwarded-...`. Never both: a client could send the other. */
  readonly dialect: "x-forwarded" | "forwarded";
  /** How many of the last addresses belong to proxies of ours; the connection's own is the last. */
  readonly hopsOf: (addresses: readonly string[]) => number;
}

/** What the proxy before us says of a request. */
export interface Forwarded {
  readonly ip: string;
  /** null: not said. */
  readonly host: string | null;
  readonly proto: "http" | "https" | null;
}

const ACCEPTED = "a number of proxies such as 1, or their addresses such as 10.0.0.0/8,fd00::/8, " +
  "is accepted; with forwarded: before it, where they send Forwarded instead of X-Forwarded-For";
const MAX_HOPS = 10;

/** `TRUST_PROXY`; null: nobody is trusted. Throws SettingError. */
export function readTrust(text: string | undefined): ProxyTrust | null {
  if (text === undefined || text.trim() === "") return null;
  const [, prefix, rest] = /^\s*(forwarded:)?(.*)$/is.exec(text) ?? [];
  const dialect = prefix === undefined ? "x-forwarded" : "forwarded";
  const trimmed = rest.trim();
  if (/^\d+$/.test(trimmed)) {
    const hops = Number(trimmed);
    if (hops < 1 || hops > MAX_HOPS) throw new SettingError("TRUST_PROXY", text, ACCEPTED);
    return { dialect, hopsOf: () => hops };
  }
  const list = new BlockList();
  for (const block of trimmed.split(",")) {
    if (!addBlock(list, block.trim())) throw new SettingError("TRUST_PROXY", text, ACCEPTED);
  }
  return { dialect, hopsOf: (addresses) => trusted(list, addresses) };
}

function addBlock(list: BlockList, text: string): boolean {
  const [address, length] = text.split("/");
  const version = isIP(address);
  const bits = version === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (version === 0 || prefix < 0 || prefix > bits || text.split("/").length > 2) return false;
  list.addSubnet(address, prefix, version === 4 ? "ipv4" : "ipv6");
  return true;
}

function trusted(list: BlockList, addresses: readonly string[]): number {
  const others = addresses.findLastIndex((address) => {
    const bare = bareAddress(address);
    const version = bare === null ? 0 : isIP(bare);
    return bare === null || version === 0 || !list.check(bare, version === 4 ? "ipv4" : "ipv6");
  });
  return addresses.length - 1 - others;
}

/**
 * What is to be believed of a request.
 * @param remote the address that the connection comes from
 */
export function readForwarded(headers: Headers, remote: string, trust: ProxyTrust): Forwarded {
  const said = trust.dialect === "forwarded" ? elements(headers) : older(headers);
  const addresses = [...said.for, remote];
  const hops = trust.hopsOf(addresses);
  if (hops === 0) return { ip: remote, host: null, proto: null };
  const client = bareAddress(addresses[Math.max(addresses.length - 1 - hops, 0)]);
  const proto = nth(said.proto, hops)?.toLowerCase();
  return {
    // What is no address is somebody's invention: the nearest that is known stays.
    ip: client !== null && isIP(client) !== 0 ? client : remote,
    host: nth(said.host, hops) || null,
    proto: proto === "http" || proto === "https" ? proto : null,
  };
}

/** In the order they were appended; `""` where an element of `Forwarded` does not say. */
interface Said {
  readonly for: readonly string[];
  readonly host: readonly string[];
  readonly proto: readonly string[];
}

/** Each proxy appends: what the outermost of ours said is that far from the end. */
function nth(values: readonly string[], hops: number): string | null {
  return values[Math.max(values.length - hops, 0)] ?? null;
}

function older(headers: Headers): Said {
  const list = (name: string) =>
    (headers.get(name) ?? "").split(",").map((text) => text.trim()).filter((text) => text !== "");
  return {
    for: list("x-forwarded-for"),
    host: list("x-forwarded-host"),
    proto: list("x-forwarded-proto"),
  };
}

/**
 * RFC 7239, 4: `for=192.0.2.60;proto=https;host=packages.example, for=...`. One
 * element is one proxy's: what it leaves out is not taken from a client's own.
 */
function elements(headers: Headers): Said {
  const list = (headers.get("forwarded") ?? "").split(",")
    .filter((element) => element.trim() !== "").map(pairsOf);
  const column = (name: string) => list.map((pairs) => pairs.get(name) ?? "");
  return { for: column("for"), host: column("host"), proto: column("proto") };
}

function pairsOf(element: string): ReadonlyMap<string, string> {
  return new Map(
    element.split(";").map((pair) => {
      const at = pair.indexOf("=");
      return [pair.slice(0, Math.max(at, 0)).trim().toLowerCase(), unquoted(pair.slice(at + 1))];
    }),
  );
}

function unquoted(text: string): string {
  const value = text.trim();
  const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  return isQuoted ? value.slice(1, -1) : value;
}

/** Without brackets and port; null: no address. */
function bareAddress(text: string): string | null {
  const [, bracketed, v4] = /^(?:\[([0-9a-f:.]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+)(?::\d+)?)$/i
    .exec(text) ?? [];
  return bracketed ?? v4 ?? (isIP(text) === 6 ? text : null);
}
