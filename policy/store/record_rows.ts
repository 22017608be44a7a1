import { decodeTime } from "ulid";
import { purl } from "../purl.ts";
import type { StoredRecord } from "../types.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { CursorInvalid } from "./errors.ts";
import { keys } from "./keys.ts";
import { type Facts, factsOfPackageEntry, factsOfUserEntry, fitsKey } from "./record_entry.ts";
import type { Filter } from "./record_query.ts";
import { getRecords, type Reading, spanOf } from "./record_scan.ts";
import { guardedList } from "./timeout.ts";
import type { ComponentRow, PackageRow, Page, UserRow } from "./types.ts";

/**
 * Installs added up by package and by user. The indexes are sorted by those, so
 * that the sums of one package, or of one user, are all that is in memory; of
 * the users of one package, those are.
 */

interface PageOf {
  readonly limit: number;
  readonly cursor?: string;
}

type Found = Facts & { readonly id: string };

interface Sums {
  count: number;
  firstId: string;
  lastId: string;
}

interface VersionSums extends Sums {
  readonly version: string;
  readonly users: Set<string>;
}

interface UserSums extends Sums {
  readonly user: string;
  readonly packages: Set<string>;
}

interface PackageSums {
  readonly ecosystem: string;
  readonly name: string;
  readonly versions: Map<string, VersionSums>;
}

/** By ecosystem and name, newest version first. Throws CursorInvalid. */
export async function listPackages(
  reading: Reading,
  filter: Filter,
  page: PageOf,
): Promise<Page<PackageRow>> {
  const { items, cursor } = await listComponents(reading, filter, page);
  return { items: items.map(({ file: _file, ...row }) => row), cursor };
}

/** The same, with the file handed out last. Throws CursorInvalid. */
export async function listComponents(
  reading: Reading,
  filter: Filter,
  page: PageOf,
): Promise<Page<ComponentRow>> {
  const after = page.cursor === undefined ? null : decodeCursor("packages", page.cursor, 3);
  const rows: { ecosystem: string; name: string; sums: VersionSums }[] = [];
  for await (const { ecosystem, name, versions } of sumPackages(reading, filter, after)) {
    const goesOn = after !== null && ecosystem === after[0] && name === after[1];
    const order = (a: string, b: string) =>
      reading.schemes.get(ecosystem)?.compare(b, a) || (a < b ? 1 : a > b ? -1 : 0);
    const sorted = [...versions.values()]
      .filter((sums) => !goesOn || order(sums.version, after[2]) > 0)
      .sort((a, b) => order(a.version, b.version));
    for (const sums of sorted) rows.push({ ecosystem, name, sums });
    if (rows.length > page.limit) break;
  }
  const taken = rows.slice(0, page.limit);
  const last = taken[taken.length - 1];
  return {
    items: await componentRows(reading, filter.org, taken),
    cursor: rows.length > page.limit && last !== undefined
      ? encodeCursor("packages", [last.ecosystem, last.name, last.sums.version])
      : null,
  };
}

/** Name and PURL are taken from the latest record: the index has the normalised name only. */
async function componentRows(
  reading: Reading,
  org: string,
  rows: readonly { ecosystem: string; name: string; sums: VersionSums }[],
): Promise<ComponentRow[]> {
  const ids = rows.map((row) => row.sums.lastId);
  const records = await getRecords(reading, "install", org, ids);
  return rows.map(({ ecosystem, name, sums }, at) => ({
    ecosystem,
    package: records[at]?.package ?? name,
    version: sums.version,
    purl: records[at]?.purl ??
      purl(reading.schemes.get(ecosystem)?.purlType ?? ecosystem, name, sums.version),
    ...timesOf(sums),
    users: [...sums.users].sort(),
    ...fileOf(records[at]),
  }));
}

function fileOf(record: StoredRecord | null): Pick<ComponentRow, "file"> {
  if (record === null) return {};
  const { filename: name, sha256 } = record;
  return { file: { name, ...(sha256 === undefined ? {} : { sha256 }) } };
}

async function* sumPackages(
  reading: Reading,
  filter: Filter,
  after: readonly string[] | null,
): AsyncGenerator<PackageSums> {
  let current: PackageSums | null = null;
  for (const selector of packageSelectors(filter, after)) {
    for await (const found of matching(reading, filter, selector, factsOfPackageEntry)) {
      const { ecosystem, name, version, user } = found;
      if (current === null || current.name !== name || current.ecosystem !== ecosystem) {
        if (current !== null) yield current;
        current = { ecosystem, name, versions: new Map() };
      }
      let sums = current.versions.get(version);
      if (sums === undefined) {
        sums = { version, users: new Set(), ...noneYet(found.id) };
        current.versions.set(version, sums);
      }
      count(sums, found.id);
      if (user !== "") sums.users.add(user);
    }
  }
  if (current !== null) yield current;
}

function packageSelectors(filter: Filter, after: readonly string[] | null): Deno.KvListSelector[] {
  const { org, ecosystem, packages } = filter;
  const prefixOf = (...parts: string[]) => keys.recordsOfPackage("install", org, ...parts);
  if (packages !== null) {
    return packages
      .toSorted((a, b) => a.ecosystem < b.ecosystem ? -1 : 1)
      .filter((one) => after === null || one.ecosystem >= after[0])
      .map((one) => ({ prefix: prefixOf(one.ecosystem, one.name) }));
  }
  const prefix = ecosystem === null ? prefixOf() : prefixOf(ecosystem);
  if (after === null) return [{ prefix }];
  if (ecosystem !== null && after[0] !== ecosystem) {
    throw new CursorInvalid(`Cannot go on in ${ecosystem} from a page of ${after[0]}`);
  }
  return [{ prefix, start: prefixOf(after[0], after[1]) }];
}

/** By name; those who gave none are left out. Throws CursorInvalid. */
export async function listUsers(
  reading: Reading,
  filter: Filter,
  page: PageOf,
): Promise<Page<UserRow>> {
  const after = page.cursor === undefined ? null : decodeCursor("users", page.cursor, 1);
  const items: UserRow[] = [];
  for await (const row of sumUsers(reading, filter, after === null ? null : after[0])) {
    if (items.length >= page.limit) {
      return { items, cursor: encodeCursor("users", [items[items.length - 1].user]) };
    }
    items.push(row);
  }
  return { items, cursor: null };
}

async function* sumUsers(
  reading: Reading,
  filter: Filter,
  after: string | null,
): AsyncGenerator<UserRow> {
  if (filter.user === null && filter.packages !== null) {
    yield* sumUsersOfPackage(reading, filter, after);
    return;
  }
  const selector = userSelector(filter, after);
  if (selector === null) return;
  let current: UserSums | null = null;
  for await (const found of matching(reading, filter, selector, factsOfUserEntry)) {
    if (current === null || current.user !== found.user) {
      if (current !== null) yield userRow(current);
      current = newUser(found);
    }
    countUser(current, found);
  }
  if (current !== null) yield userRow(current);
}

/** One package's users are found by the package: all users together have installed far more. */
async function* sumUsersOfPackage(
  reading: Reading,
  filter: Filter,
  after: string | null,
): AsyncGenerator<UserRow> {
  const users = new Map<string, UserSums>();
  for (const selector of packageSelectors(filter, null)) {
    for await (const found of matching(reading, filter, selector, factsOfPackageEntry)) {
      const { user } = found;
      if (user === "" || (after !== null && user <= after)) continue;
      const sums = users.get(user) ?? newUser(found);
      users.set(user, sums);
      countUser(sums, found);
    }
  }
  const sorted = [...users.values()].sort((a, b) => a.user < b.user ? -1 : 1);
  yield* sorted.map(userRow);
}

function newUser({ user, id }: Found): UserSums {
  return { user, packages: new Set(), ...noneYet(id) };
}

function countUser(sums: UserSums, { ecosystem, name, id }: Found): void {
  count(sums, id);
  sums.packages.add(`${ecosystem}/${name}`);
}

function userSelector(filter: Filter, after: string | null): Deno.KvListSelector | null {
  const { org, user } = filter;
  if (user !== null) {
    const none = user === "" || after !== null || !fitsKey(user);
    return none ? null : { prefix: keys.recordsOfUser("install", org, user) };
  }
  const prefix = keys.recordsOfUser("install", org);
  // `~` is greater than any character of an id.
  return after === null ? { prefix } : { prefix, start: [...prefix, after, "~"] };
}

function userRow(sums: UserSums): UserRow {
  const { user, packages } = sums;
  const { count, first, last } = timesOf(sums);
  return { user, count, packages: packages.size, first, last };
}

async function* matching(
  reading: Reading,
  filter: Filter,
  selector: Deno.KvListSelector,
  read: (entry: Deno.KvEntry<unknown>) => Found | null,
): AsyncGenerator<Found> {
  const { from, to } = spanOf(filter, reading);
  for await (const entry of guardedList(reading.kv, selector, OPTIONS, reading.timeoutMs)) {
    const found = read(entry);
    if (found === null || found.id < from || found.id >= to) continue;
    if (filter.matches(found)) yield found;
  }
}

const OPTIONS = { batchSize: 500 };

function noneYet(id: string): Sums {
  return { count: 0, firstId: id, lastId: id };
}

function count(sums: Sums, id: string): void {
  sums.count++;
  if (id < sums.firstId) sums.firstId = id;
  if (id > sums.lastId) sums.lastId = id;
}

function timesOf(sums: Sums): { count: number; first: string; last: string } {
  const rfc3339 = (id: string) => new Date(decodeTime(id)).toISOString();
  return { count: sums.count, first: rfc3339(sums.firstId), last: rfc3339(sums.lastId) };
}
