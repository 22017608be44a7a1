/** A browser's cookies and redirects, by hand. */
import assert from "node:assert/strict";
import type { TestProxy } from "../proxy.ts";

export const HERE = "https://proxy.example";

export interface Visit {
  readonly url: URL;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export class Browser {
  /** By origin, then name. */
  readonly jars = new Map<string, Map<string, string>>();
  /** `Set-Cookie` lines of the proxy, in order. */
  readonly set: string[] = [];

  constructor(
    readonly proxy: Pick<TestProxy, "fetch">,
    /** What the provider asks of whoever sits here. */
    readonly shows: () => Record<string, string>,
  ) {}

  jar(origin: string): Map<string, string> {
    const jar = this.jars.get(origin) ?? new Map<string, string>();
    this.jars.set(origin, jar);
    return jar;
  }

  /** One request; redirects are not followed. */
  async ask(address: string | URL, init: RequestInit = {}): Promise<Visit> {
    const url = new URL(address, HERE);
    const headers = new Headers({
      accept: "text/html",
      ...Object.fromEntries(new Headers(init.headers)),
    });
    if (typeof init.body === "string") headers.set("content-type", "application/json");
    const jar = this.jar(url.origin);
    if (jar.size > 0) headers.set("cookie", [...jar].map((pair) => pair.join("=")).join("; "));
    const sent = { ...init, headers, redirect: "manual" } as const;
    const response = url.origin === HERE
      ? await this.proxy.fetch(url.pathname + url.search, sent)
      : await this.#elsewhere(url, sent);
    for (const line of response.headers.getSetCookie()) {
      if (url.origin === HERE) this.set.push(line);
      const [pair] = line.split(";");
      const at = pair.indexOf("=");
      const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
      if (value === "" || /max-age=0\b|expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    return { url, status: response.status, headers: response.headers, text: await response.text() };
  }

  #elsewhere(url: URL, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    for (const [name, value] of Object.entries(this.shows())) headers.set(name, value);
    return fetch(url, { ...init, headers });
  }

  /**
   * Follows redirects until there is none, or until one that `stop` wants to
   * look at, whose address is then the visit's `location`.
   */
  async go(address: string | URL, stop: (url: URL) => boolean = () => false): Promise<Visit> {
    let url = new URL(address, HERE);
    for (let i = 0; i < 20; i++) {
      const visit = await this.ask(url);
      const location = visit.headers.get("location");
      if (location === null) return visit;
      url = new URL(location, url);
      if (stop(url)) return { ...visit, url };
    }
    throw new assert.AssertionError({ message: `a circle at ${url}` });
  }

  /** As far as the address that the provider sends the browser back to. */
  async callback(from = "/admin/sign-in", change: (url: URL) => void = () => {}): Promise<URL> {
    const { url } = await this.go(from, (next) => next.origin !== HERE);
    assert.notEqual(url.origin, HERE, String(url));
    change(url);
    const back = await this.go(url, (next) => next.origin === HERE);
    assert.equal(back.url.pathname, "/admin/callback", back.text);
    return back.url;
  }
}
