/** Polling: an answer is asked for again and again while the tab is in sight. */

import { get, Impossible, Refused, Trouble } from "./api.js";

const EVERY = 5000;
const AT_MOST = 60_000;
/** However long Retry-After asks for: a timer cannot run for many days. */
const LONGEST = 3_600_000;

/**
 * Ask for `path` until the given function is called, and tell `watcher`. An answer is one that
 * `holds` says yes to.
 *
 * - `answered(body)` for an answer that differs from the one before; what it raises counts as the
 *   answer's own;
 * - `refused(error)` and `impossible(error)`, after which it asks no more;
 * - `troubled(error)` each time that there is no answer, after which it asks less often;
 * - `fine()` for each answer, a new one or not.
 */
export function poll(path, holds, watcher) {
  const stopped = new AbortController();
  let etag = null;
  let failures = 0;
  let timer = null;
  let asking = false;

  async function ask() {
    if (asking || stopped.signal.aborted) return;
    asking = true;
    clearTimeout(timer);
    let wait = EVERY;
    try {
      const answer = await get(path, { etag, holds, signal: stopped.signal });
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
      wait = Math.min(EVERY * 2 ** (failures - 1), AT_MOST);
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
