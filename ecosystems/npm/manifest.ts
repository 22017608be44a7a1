/** What the judge needs of one version's manifest, read where it stands. */
import type { Trust } from "../../policy/types.ts";
import { InvalidMetadata } from "../errors.ts";
import { KeyTable, Members, skipValue } from "./json_scan.ts";

/** Positions are of values in the document's bytes; 0 where there is none. */
export interface VersionFacts {
  readonly trust: Trust;
  readonly installScripts: boolean;
  readonly integrityStart: number;
  readonly integrityEnd: number;
  readonly shasumStart: number;
  readonly shasumEnd: number;
}

const QUOTE = 0x22;
const OPEN_OBJECT = 0x7b;
const TRUE = 0x74;

const MANIFEST = new KeyTable(["dist", "_npmUser", "scripts", "gypfile", "hasInstallScript"]);
const DIST = new KeyTable(["tarball", "integrity", "shasum", "attestations"]);
const PUBLISHER = new KeyTable(["approver", "trustedPublisher"]);
const ATTESTATIONS = new KeyTable(["provenance"]);
const SCRIPTS = new KeyTable(["preinstall", "install", "postinstall"]);

/** One manifest as it is read; a document that says a thing twice says two things, so it is refused. */
export class Manifest implements VersionFacts {
  /** Position after the manifest. */
  end = 0;
  installScripts = false;
  tarballStart = 0;
  tarballEnd = 0;
  integrityStart = 0;
  integrityEnd = 0;
  shasumStart = 0;
  shasumEnd = 0;
  provenance = false;
  trustedPublisher = false;
  approved = false;

  get trust(): Trust {
    if (this.approved) return "approved";
    if (this.trustedPublisher) return "trusted_publisher";
    return this.provenance ? "provenance" : "none";
  }
}

/** Reads the manifest that begins at `at`. Throws InvalidMetadata. */
export function readManifest(bytes: Uint8Array, at: number): Manifest {
  const manifest = new Manifest();
  const members = new Members(bytes, at);
  const seen = new Seen(MANIFEST);
  while (members.next()) {
    const { keyStart, keyEnd, value } = members;
    const key = MANIFEST.find(bytes, keyStart, keyEnd);
    if (key === null) {
      members.end = skipValue(bytes, value);
      continue;
    }
    seen.once(key, keyStart);
    switch (key) {
      case "dist":
        members.end = readDist(bytes, value, manifest);
        break;
      case "_npmUser":
        members.end = readPublisher(bytes, value, manifest);
        break;
      case "scripts":
        members.end = readScripts(bytes, value, manifest);
        break;
      default:
        if (bytes[value] === TRUE) manifest.installScripts = true;
        members.end = skipValue(bytes, value);
    }
  }
  manifest.end = members.end;
  return manifest;
}

function readDist(bytes: Uint8Array, at: number, manifest: Manifest): number {
  if (bytes[at] !== OPEN_OBJECT) return skipValue(bytes, at);
  const members = new Members(bytes, at);
  const seen = new Seen(DIST);
  while (members.next()) {
    const { keyStart, keyEnd, value } = members;
    const key = DIST.find(bytes, keyStart, keyEnd);
    const end = members.end = skipValue(bytes, value);
    if (key === null) continue;
    seen.once(key, keyStart);
    if (key === "attestations") {
      manifest.provenance = hasObject(bytes, value, ATTESTATIONS);
    } else if (bytes[value] !== QUOTE) {
      continue;
    } else if (key === "tarball") {
      manifest.tarballStart = value;
      manifest.tarballEnd = end;
    } else if (key === "integrity") {
      manifest.integrityStart = value;
      manifest.integrityEnd = end;
    } else {
      manifest.shasumStart = value;
      manifest.shasumEnd = end;
    }
  }
  return members.end;
}

function readPublisher(bytes: Uint8Array, at: number, manifest: Manifest): number {
  if (bytes[at] !== OPEN_OBJECT) return skipValue(bytes, at);
  const members = new Members(bytes, at);
  const seen = new Seen(PUBLISHER);
  while (members.next()) {
    const { keyStart, keyEnd, value } = members;
    const key = PUBLISHER.find(bytes, keyStart, keyEnd);
    members.end = skipValue(bytes, value);
    if (key === null) continue;
    seen.once(key, keyStart);
    if (bytes[value] !== OPEN_OBJECT) continue;
    if (key === "approver") manifest.approved = true;
    else manifest.trustedPublisher = true;
  }
  return members.end;
}

/** A script that is empty does nothing. */
function readScripts(bytes: Uint8Array, at: number, manifest: Manifest): number {
  if (bytes[at] !== OPEN_OBJECT) return skipValue(bytes, at);
  const members = new Members(bytes, at);
  while (members.next()) {
    const { keyStart, keyEnd, value } = members;
    members.end = skipValue(bytes, value);
    const isCode = bytes[value] === QUOTE && bytes[value + 1] !== QUOTE;
    if (isCode && SCRIPTS.find(bytes, keyStart, keyEnd) !== null) manifest.installScripts = true;
  }
  return members.end;
}

/** Whether a known member is an object. */
function hasObject(bytes: Uint8Array, at: number, keys: KeyTable<string>): boolean {
  if (bytes[at] !== OPEN_OBJECT) return false;
  const members = new Members(bytes, at);
  let found = false;
  while (members.next()) {
    const { keyStart, keyEnd, value } = members;
    members.end = skipValue(bytes, value);
    found ||= bytes[value] === OPEN_OBJECT && keys.find(bytes, keyStart, keyEnd) !== null;
  }
  return found;
}

/** Which keys of a table an object has had; a number costs a tenth of a list's memory. */
class Seen<Key extends string> {
  #bits = 0;

  constructor(readonly table: KeyTable<Key>) {}

  once(key: Key, at: number): void {
    const bit = this.table.bitOf(key);
    if ((this.#bits & bit) !== 0) {
      throw new InvalidMetadata(`Cannot read ${key} twice at byte ${at}`);
    }
    this.#bits |= bit;
  }
}
