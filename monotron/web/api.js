/** The part of the API that the page needs: only GET. */

import { accountPath } from "./account.js";
import { BASE } from "./address.js";
import { authorization } from "./credentials.js";
import { exact } from "./numbers.js";
import { setClock } from "./times.js";

export const CSV = "text/csv";

const JSON_TYPE = "application/json";
const PROBLEM = "application/problem+json";
const PATIENCE = 20_000;

/** Credentials are missing, wrong or insufficient: 401 or 403. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** The request can never succeed as it is: another 4xx. */
export class Impossible extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/**
 * No answer at present: a network failure, 429 or 5xx, or an answer that is not Monotron's. `wait` is
 * Retry-After's time, in ms, and `status` that of an answer of Monotron's or of a proxy's.
 */
export class Trouble extends Error {
  constructor(what, { wait = 0, status = null, unreachable = false } = {}) {
    super(what);
    Object.assign(this, { wait, status, unreachable });
  }
}

/** Return the trouble of an answer from another program, such as a proxy's login page. */
export function foreign() {
  return new Trouble("Another program is answering instead of Monotron");
}

/** Return whether an error is a failed request, not a bug in this page. */
export function isFailure(error) {
  return error instanceof Refused || error instanceof Impossible || error instanceof Trouble;
}

/**
 * Request `path` below the page, in the chosen account. Returns `{body, etag}`, with a null body if the
 * answer still has the given `etag`. The body is the JSON with every number exact, which `holds` accepts;
 * with another `type` than JSON's, such as `image/`, it is a Blob.
 *
 * Throws Refused, Impossible or Trouble, or an AbortError if `signal` is aborted.
 */
export async function get(path, { etag = null, signal = null, type = JSON_TYPE, holds = () => true } = {}) {
  const headers = new Headers();
  if (type === CSV) headers.set("Accept", CSV);
  if (etag) headers.set("If-None-Match", etag);
  const known = authorization();
  if (known) headers.set("Authorization", known);

  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), PATIENCE);
  const abort = () => late.abort();
  signal?.addEventListener("abort", abort);
  try {
    signal?.throwIfAborted();
    // Without "omit", the browser would ask for a password in its own dialog.
    const response = await fetch(new URL(accountPath(path), BASE), {
      headers,
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
      signal: late.signal,
    });
    setClock(response.headers.get("Date"));
    return await read(response, { etag, type, holds });
  } catch (error) {
    signal?.throwIfAborted();
    // Thrown by fetch, or while a body is read, if the connection fails or the time is up.
    if (error instanceof TypeError || error instanceof DOMException) {
      throw new Trouble("Monotron cannot be reached", { unreachable: true });
    }
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

async function read(response, { etag, type, holds }) {
  const { status } = response;
  if (status === 304) return { body: null, etag };
  const sent = response.headers.get("Content-Type") ?? "";
  if (!response.ok) throw await failure(response, sent);
  if (!sent.startsWith(type)) throw foreign();
  const body = type === JSON_TYPE ? parsed(await response.text()) : await response.blob();
  if (body === null || !holds(body)) throw foreign();
  return { body, etag: response.headers.get("ETag") };
}

async function failure(response, sent) {
  const { status } = response;
  if (status >= 500 || status === 429 || status === 408) {
    const wait = pause(response.headers.get("Retry-After"));
    return new Trouble(`Monotron answers ${status}`, { wait, status });
  }
  // What a proxy refuses or does not find says nothing about the key or the series.
  if (!sent.startsWith(PROBLEM)) return foreign();
  const detail = parsed(await response.text())?.detail;
  return new (status === 401 || status === 403 ? Refused : Impossible)(status, detail);
}

function parsed(json) {
  try {
    return exact(json);
  } catch (error) {
    if (error instanceof SyntaxError) throw foreign();
    throw error;
  }
}

// Seconds or a date (RFC 9110, section 10.2.3).
function pause(text) {
  if (!text) return 0;
  return /^\d+$/.test(text) ? Number(text) * 1000 : Math.max(0, Date.parse(text) - Date.now()) || 0;
}
