/** Polling: a request is repeated while the tab is visible. */

import { get, Impossible, Refused, Trouble } from "./api.js";

const EVERY = 5000;
const AT_MOST = 60_000;
/** The limit on Retry-After's time: a timer cannot run for many days. */
const LONGEST = 3_600_000;

/**
 * Request `path`, a text or a function that returns it, until the returned function is called, and
 * notify `watcher`. An answer counts if `holds` accepts it.
 *
 * - `answered(body)` for an answer that differs from the one before; an error that it throws counts
 *   as an error of the request;
 * - `refused(error)` and `impossible(error)`, after which polling stops;
 * - `troubled(error)` for each missing answer, after which polling slows down;
 * - `fine()` for each answer, new or not.
 */
export function poll(path, holds, watcher, every = EVERY) {
  const place = typeof path === "function" ? path : () => path;
  const stopped = new AbortController();
  let etag = null;
  let failures = 0;
  let timer = null;
  let asking = false;

  async function ask() {
    if (asking || stopped.signal.aborted) return;
    asking = true;
    clearTimeout(timer);
    let wait = every;
    try {
      const answer = await get(place(), { etag, holds, signal: stopped.signal });
      if (answer.body !== null) await watcher.answered(answer.body, stopped.signal);
      if (stopped.signal.aborted) return;
      etag = answer.etag;
      failures = 0;
      watcher.fine();
    } catch (error) {
      if (stopped.signal.aborted) return;
      if (!(error instanceof Trouble)) stopped.abort();
      if (error instanceof Refused) return watcher.refused(error);
      if (error instanceof Impossible) return watcher.impossible(error);
      if (!(error instanceof Trouble)) throw error;
      failures += 1;
      wait = Math.min(every * 2 ** (failures - 1), Math.max(every, AT_MOST));
      wait = Math.max(wait, Math.min(error.wait, LONGEST));
      watcher.troubled(error);
    } finally {
      asking = false;
    }
    if (!document.hidden) timer = setTimeout(ask, wait);
  }

  function seen() {
    if (document.hidden) clearTimeout(timer);
    else ask();
  }

  document.addEventListener("visibilitychange", seen);
  stopped.signal.addEventListener("abort", () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  });
  ask();
  return () => stopped.abort();
}
