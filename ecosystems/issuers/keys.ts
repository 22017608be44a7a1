/** The keys that issuers sign with: discovered, cached, asked for once at a time. */
import type { JWTVerifyGetKey } from "jose";
import { LRUCache } from "lru-cache";
import * as v from "valibot";
import { IssuerUnavailable } from "../errors.ts";
import type { IssuerClient } from "./client.ts";

/** Keys this old are asked for again. */
const FRESH_MS = 10 * 60_000;
/** Older keys are not used, even where the issuer does not answer: it may have withdrawn one. */
const STALE_MS = 60 * 60_000;
/** An unknown key id asks for the keys again, but no stranger can make that happen all the time. */
const AGAIN_MS = 30_000;
/** An issuer that failed is left alone for a while. */
const FAILED_MS = 10_000;
const MAX_ISSUERS = 200;

const discovery = v.looseObject({
  issuer: v.string(),
  jwks_uri: v.pipe(v.string(), v.maxLength(2_000), v.url()),
});

const keySet = v.looseObject({
  keys: v.pipe(v.array(v.looseObject({ kty: v.string() })), v.maxLength(100)),
});

interface Known {
  /** When it was asked for (Unix ms). */
  readonly at: number;
  readonly key: JWTVerifyGetKey;
}

export class IssuerKeys {
  readonly #client: IssuerClient;
  readonly #now: () => number;
  readonly #known = new LRUCache<string, Known>({ max: MAX_ISSUERS });
  readonly #asking = new Map<string, Promise<Known>>();
  readonly #failed = new LRUCache<string, { at: number; error: unknown }>({ max: MAX_ISSUERS });

  /** @param now Unix ms */
  constructor({ client, now }: { client: IssuerClient; now: () => number }) {
    this.#client = client;
    this.#now = now;
  }

  /** What finds the key of a token of this issuer. Throws IssuerUnavailable. */
  of(issuer: string): JWTVerifyGetKey {
    return async (header, token) => {
      const known = await this.#get(issuer, FRESH_MS);
      try {
        return await known.key(header, token);
      } catch (error) {
        if (!isUnknownKey(error) || this.#ageOf(known) < AGAIN_MS) throw error;
      }
      return await (await this.#get(issuer, AGAIN_MS)).key(header, token);
    };
  }

  async #get(issuer: string, freshMs: number): Promise<Known> {
    const known = this.#known.get(issuer);
    if (known !== undefined && this.#ageOf(known) < freshMs) return known;
    try {
      return await this.#ask(issuer);
    } catch (error) {
      if (known !== undefined && this.#ageOf(known) < STALE_MS) return known;
      throw error;
    }
  }

  /** A clock that was set back makes what is known old. */
  #ageOf({ at }: { readonly at: number }): number {
    const age = this.#now() - at;
    return age < 0 ? Infinity : age;
  }

  #ask(issuer: string): Promise<Known> {
    const asking = this.#asking.get(issuer);
    if (asking !== undefined) return asking;
    const failed = this.#failed.get(issuer);
    if (failed !== undefined && this.#ageOf(failed) < FAILED_MS) {
      return Promise.reject(failed.error);
    }
    const mine = this.#load(issuer).finally(() => this.#asking.delete(issuer));
    this.#asking.set(issuer, mine);
    return mine;
  }

  async #load(issuer: string): Promise<Known> {
    const at = this.#now();
    try {
      const known = { at, key: await this.#discover(issuer) };
      this.#known.set(issuer, known);
      this.#failed.delete(issuer);
      return known;
    } catch (cause) {
      const error = cause instanceof IssuerUnavailable
        ? cause
        : new IssuerUnavailable(`Cannot use the keys of ${new URL(issuer).host}`, { cause });
      this.#failed.set(issuer, { at, error });
      throw error;
    }
  }

  async #discover(issuer: string): Promise<JWTVerifyGetKey> {
    const base = issuer.replace(/\/$/, "");
    const found = v.parse(
      discovery,
      await this.#client.json(`${base}/.well-known/openid-configuration`),
    );
    if (found.issuer !== issuer) {
      throw new IssuerUnavailable(`${new URL(issuer).host} says that it is another issuer`);
    }
    const { keys } = v.parse(keySet, await this.#client.json(found.jwks_uri));
    const { createLocalJWKSet } = await import("jose");
    // Shared secrets (`oct`) have no place among public keys.
    return createLocalJWKSet({ keys: keys.filter(({ kty }) => kty !== "oct") });
  }
}

function isUnknownKey(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_JWKS_NO_MATCHING_KEY";
}
