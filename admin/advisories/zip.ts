/** Reads zip files entry by entry, Zip64 included: OSV's have more entries than the old form can count. */
import { crc32, inflateRawSync } from "node:zlib";

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const MANY = 0xffff;
const LARGE = 0xffffffff;
/** An end record, its longest comment and the locator before it. */
const TAIL = 22 + 65_535 + 20;
const MAX_ENTRY = 64 * 1024 * 1024;
/** A record that unfolds to more is a bomb, unless it is small. */
const ANY_RATIO = 8 * 1024 * 1024;
const USUAL_RATIO = 250;

export interface ZipEntry {
  readonly name: string;
  /** Inflated. Throws SyntaxError. */
  read(): Promise<Uint8Array>;
}

interface Directory {
  readonly start: number;
  readonly size: number;
  readonly entries: number;
}

/** Every file of an archive, in its order. Throws SyntaxError where it cannot be read. */
export async function* readZip(file: Deno.FsFile): AsyncGenerator<ZipEntry, void, undefined> {
  const { start, size, entries } = await directoryOf(file);
  const view = viewOf(await readAt(file, start, size));
  let at = 0;
  for (let i = 0; i < entries; i++) {
    if (at + 46 > size || view.getUint32(at, true) !== CENTRAL) throw broken("its directory");
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const end = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    if (end > size) throw broken("its directory");
    const name = new TextDecoder().decode(bytesOf(view, at + 46, nameLength));
    const entry = centralEntry(view, at, { nameLength, extraLength });
    at = end;
    if (name.endsWith("/")) continue;
    yield { name, read: () => readEntry(file, name, entry) };
  }
  // Old writers count modulo 65,536: what they leave out must not be lost unnoticed.
  if (at !== size) throw broken("its directory, which holds more than it says");
}

interface Entry {
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

function centralEntry(
  view: DataView,
  at: number,
  { nameLength, extraLength }: { nameLength: number; extraLength: number },
): Entry {
  const large = large64(view, at + 46 + nameLength, extraLength);
  // The order in which Zip64 gives what did not fit.
  const size = large(view.getUint32(at + 24, true));
  const packed = large(view.getUint32(at + 20, true));
  const offset = large(view.getUint32(at + 42, true));
  const crc = view.getUint32(at + 16, true);
  return { method: view.getUint16(at + 10, true), crc, packed, size, offset };
}

/** Takes a value from the Zip64 extra field where the old one says that it did not fit. */
function large64(view: DataView, start: number, length: number): (value: number) => number {
  let at = start;
  while (at + 4 <= start + length && view.getUint16(at, true) !== 1) {
    at += 4 + view.getUint16(at + 2, true);
  }
  at += 4;
  return (value) => {
    if (value !== LARGE) return value;
    if (at + 8 > start + length) throw broken("its directory");
    at += 8;
    return Number(view.getBigUint64(at - 8, true));
  };
}

async function readEntry(
  file: Deno.FsFile,
  name: string,
  { method, crc, packed, size, offset }: Entry,
): Promise<Uint8Array> {
  if (size > MAX_ENTRY || packed > MAX_ENTRY) throw broken(`${name}, which is too large`);
  if (size > Math.max(ANY_RATIO, packed * USUAL_RATIO)) {
    throw broken(`${name}, which unfolds to far more than itself`);
  }
  const local = viewOf(await readAt(file, offset, 30));
  if (local.getUint32(0, true) !== LOCAL) throw broken(name);
  const start = offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  const data = await readAt(file, start, packed);
  if (method !== 0 && method !== 8) throw broken(`${name}, which is packed in another way`);
  const bytes = method === 0 ? data : inflate(data, name, size);
  if (bytes.length !== size || crc32(bytes) !== crc) throw broken(name);
  return bytes;
}

function inflate(data: Uint8Array, name: string, size: number): Uint8Array {
  try {
    return inflateRawSync(data, { maxOutputLength: Math.max(size, 1) });
  } catch (cause) {
    throw new SyntaxError(`Cannot read ${name} in the zip file`, { cause });
  }
}

async function directoryOf(file: Deno.FsFile): Promise<Directory> {
  const { size: length } = await file.stat();
  const from = Math.max(0, length - TAIL);
  const view = viewOf(await readAt(file, from, length - from));
  for (let at = view.byteLength - 22; at >= 0; at--) {
    if (view.getUint32(at, true) !== END) continue;
    const entries = view.getUint16(at + 10, true);
    const size = view.getUint32(at + 12, true);
    const start = view.getUint32(at + 16, true);
    if (entries !== MANY && size !== LARGE && start !== LARGE) return { start, size, entries };
    if (at < 20 || view.getUint32(at - 20, true) !== LOCATOR64) return { start, size, entries };
    return await directory64(file, Number(view.getBigUint64(at - 12, true)));
  }
  throw broken("its end");
}

async function directory64(file: Deno.FsFile, at: number): Promise<Directory> {
  const view = viewOf(await readAt(file, at, 56));
  if (view.getUint32(0, true) !== END64) throw broken("its end");
  const value = (position: number) => Number(view.getBigUint64(position, true));
  return { entries: value(32), size: value(40), start: value(48) };
}

async function readAt(file: Deno.FsFile, at: number, length: number): Promise<Uint8Array> {
  const { size } = await file.stat();
  if (at < 0 || length < 0 || at + length > size) throw broken("a part that is not there");
  const bytes = new Uint8Array(length);
  await file.seek(at, Deno.SeekMode.Start);
  for (let read = 0; read < length;) {
    const count = await file.read(bytes.subarray(read));
    if (count === null) throw broken("a part that is not there");
    read += count;
  }
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bytesOf(view: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, length);
}

function broken(what: string): SyntaxError {
  return new SyntaxError(`Cannot read the zip file: ${what}`);
}
