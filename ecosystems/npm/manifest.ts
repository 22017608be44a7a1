/** What the judge needs of one version's manifest, read where it stands. */
import type { Trust } from "../../policy/types.ts";
import { InvalidMetadata } from "../errors.ts";
import { KeyTable, skipValue, walkObject } from "./json_scan.ts";

/** Positions are of values in the document's bytes; 0 where there is none. */
export interface VersionFacts {
  readonly trust: Trust;
  readonly installScripts: boolean;
  readonly integrityStart: number;
  readonly integrityEnd: number;
  readonly shasumStart: number;
  readonly shasumEnd: number;
}

export interface Manifest {
  readonly facts: VersionFacts;
  readonly end: number;
  readonly tarballStart: number;
  readonly tarballEnd: number;
}

const QUOTE = 0x22;
const OPEN_OBJECT = 0x7b;
const TRUE = 0x74;

const MANIFEST = new KeyTable(["dist", "_npmUser", "scripts", "gypfile", "hasInstallScript"]);
const DIST = new KeyTable(["tarball", "integrity", "shasum", "attestations"]);
const PUBLISHER = new KeyTable(["approver", "trustedPublisher"]);
const ATTESTATIONS = new KeyTable(["provenance"]);
const SCRIPTS = new KeyTable(["preinstall", "install", "postinstall"]);

/** Reads the manifest that begins at `at`. Throws InvalidMetadata. */
export function readManifest(bytes: Uint8Array, at: number): Manifest {
  const found = {
    publisher: "none" as Trust,
    installScripts: false,
    seen: "",
  };
  const dist = new Dist();
  const end = walkObject(bytes, at, (start, keyEnd, value) => {
    const key = MANIFEST.find(bytes, start, keyEnd);
    if (key === null) return skipValue(bytes, value);
    // Clients take the last of two, so a document with both says two things.
    if (found.seen.includes(`"${key}"`)) throw twice(key, start);
    found.seen += `"${key}"`;
    switch (key) {
      case "dist":
        return dist.read(bytes, value);
      case "_npmUser":
        return walkKeys(bytes, value, PUBLISHER, (key, at) => {
          if (bytes[at] !== OPEN_OBJECT) return;
          if (key === "approver") found.publisher = "approved";
          else if (found.publisher === "none") found.publisher = "trusted_publisher";
        });
      case "scripts":
        return walkKeys(bytes, value, SCRIPTS, (_, at) => {
          if (bytes[at] === QUOTE && bytes[at + 1] !== QUOTE) found.installScripts = true;
        });
      default:
        if (bytes[value] === TRUE) found.installScripts = true;
        return skipValue(bytes, value);
    }
  });
  const { publisher, installScripts } = found;
  const trust = publisher !== "none" ? publisher : dist.provenance ? "provenance" : "none";
  const { integrityStart, integrityEnd, shasumStart, shasumEnd, tarballStart, tarballEnd } = dist;
  return {
    facts: { trust, installScripts, integrityStart, integrityEnd, shasumStart, shasumEnd },
    end,
    tarballStart,
    tarballEnd,
  };
}

class Dist {
  provenance = false;
  tarballStart = 0;
  tarballEnd = 0;
  integrityStart = 0;
  integrityEnd = 0;
  shasumStart = 0;
  shasumEnd = 0;

  /** @returns the position after the value */
  read(bytes: Uint8Array, at: number): number {
    return walkKeys(bytes, at, DIST, (key, value, end) => {
      if (key === "attestations") {
        walkKeys(bytes, value, ATTESTATIONS, (_, at) => {
          if (bytes[at] === OPEN_OBJECT) this.provenance = true;
        });
      } else if (bytes[value] === QUOTE) {
        if (key === "tarball") {
          this.tarballStart = value;
          this.tarballEnd = end;
        } else if (key === "integrity") {
          this.integrityStart = value;
          this.integrityEnd = end;
        } else {
          this.shasumStart = value;
          this.shasumEnd = end;
        }
      }
    });
  }
}

/**
 * Tells the known members of an object, each at most once; what is no object
 * has none. @returns the position after the value. Throws InvalidMetadata.
 */
function walkKeys<Key extends string>(
  bytes: Uint8Array,
  at: number,
  keys: KeyTable<Key>,
  tell: (key: Key, value: number, end: number) => void,
): number {
  if (bytes[at] !== OPEN_OBJECT) return skipValue(bytes, at);
  let seen = "";
  return walkObject(bytes, at, (start, keyEnd, value) => {
    const end = skipValue(bytes, value);
    const key = keys.find(bytes, start, keyEnd);
    if (key === null) return end;
    if (seen.includes(`"${key}"`)) throw twice(key, start);
    seen += `"${key}"`;
    tell(key, value, end);
    return end;
  });
}

function twice(key: string, at: number): InvalidMetadata {
  return new InvalidMetadata(`Cannot read ${key} twice at byte ${at}`);
}
