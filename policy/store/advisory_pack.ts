/** Advisories in Deno KV: JSON, compressed, cut into pieces that fit KV's values. */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import * as v from "valibot";
import type { Advisory } from "../types.ts";

/** KV's limit for a value is 65,536 bytes with its own framing. */
const PIECE_BYTES = 60_000;
/** Keeps an atomic below KV's 819,200 bytes. */
const MAX_PIECES = 12;
const MAX_INFLATED_BYTES = 64 * 1024 * 1024;

/** What a database said of one package. */
export interface AdvisoryAnswer {
  /** Unix ms when it said so. */
  readonly at: number;
  /** The records it named, with the version of each. */
  readonly ids: readonly RecordVersion[];
  /** Of those, what still counts. */
  readonly list: readonly Advisory[];
}

export interface RecordVersion {
  readonly id: string;
  /** As the database writes it. */
  readonly modified: string;
}

const packedSchema = v.object({
  at: v.number(),
  pieces: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_PIECES)),
  data: v.instance(Uint8Array),
});

/** One piece. All pieces of an answer have the same `at`. */
export type Packed = v.InferOutput<typeof packedSchema>;

const eventSchema = v.object({
  kind: v.picklist(["introduced", "fixed", "last_affected", "limit"]),
  version: v.string(),
});

const answerSchema = v.object({
  at: v.number(),
  ids: v.array(v.object({ id: v.string(), modified: v.string() })),
  list: v.array(v.object({
    id: v.string(),
    malware: v.boolean(),
    reviewed: v.boolean(),
    severity: v.nullable(v.picklist(["low", "medium", "high", "critical"])),
    summary: v.optional(v.string()),
    versions: v.array(v.string()),
    ranges: v.array(v.object({ events: v.array(eventSchema) })),
    fixed: v.array(v.string()),
  })),
});

/** null: more than is kept. */
export function pack(answer: AdvisoryAnswer): Packed[] | null {
  const bytes = deflateRawSync(JSON.stringify(answer));
  const pieces = Math.ceil(bytes.length / PIECE_BYTES);
  if (pieces > MAX_PIECES) return null;
  return Array.from({ length: pieces }, (_, piece) => ({
    at: answer.at,
    pieces,
    data: new Uint8Array(bytes.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES)),
  }));
}

/** null: none, or not what we have stored. */
export function readPiece(value: unknown): Packed | null {
  const parsed = v.safeParse(packedSchema, value);
  return parsed.success ? parsed.output : null;
}

/** null: pieces of different answers, or unreadable. */
export function unpack(pieces: readonly (Packed | null)[]): AdvisoryAnswer | null {
  const [first] = pieces;
  if (!first || pieces.length !== first.pieces) return null;
  if (pieces.some((piece) => piece === null || piece.at !== first.at)) return null;
  try {
    const bytes = inflateRawSync(joined(pieces.flatMap((piece) => piece?.data ?? [])), {
      maxOutputLength: MAX_INFLATED_BYTES,
    });
    const parsed = v.safeParse(answerSchema, JSON.parse(new TextDecoder().decode(bytes)));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
