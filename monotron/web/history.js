/** The history of one series: its newest values, kept up to date, and older ones when asked for. */

import { encoded, reachable } from "./address.js";
import { get, isFailure } from "./api.js";
import { tokenWithAttributes } from "./attributes.js";
import { arrange, byId, element, fromTemplate, notice, setText } from "./elements.js";
import { above } from "./numbers.js";
import { exactly, showTime } from "./times.js";

const ROWS = 20;

let key = null;
/** Each `{value, apiKey, tr}`, newest first. */
let rows = [];
/** What to ask for next: older values than this, or null. */
let older = null;

/** Begin anew, for this series. */
export function openHistory(of) {
  key = of;
  rows = [];
  older = null;
  arrange(byId("history-rows"), []);
  byId("history").hidden = byId("older").hidden = true;
  notice(byId("history-notice"), null);
}

/** Ask for the newest values, and put them before those on show. */
export async function refreshHistory(recent, signal) {
  if (!reachable(key)) {
    notice(
      byId("history-notice"),
      "Tokens and older values cannot be shown: a browser takes . and .. for steps in a path.",
    );
    join({ history: recent.map((each) => ({ ...each, token: null, api_key: null })), next: null });
    return;
  }
  join(await ask(null, signal));
}

/** Let the button ask for older values. */
export function onOlder() {
  const button = byId("older");
  button.addEventListener("click", async () => {
    const asked = { key, older };
    button.disabled = true;
    try {
      const page = await ask(older, null);
      // Meanwhile another series may be on show, or the newest values alone.
      if (key !== asked.key || older !== asked.older) return;
      rows = [...rows, ...page.history.map(newRow)];
      older = page.next;
      show();
    } catch (error) {
      if (!isFailure(error)) throw error;
      notice(byId("history-notice"), `Older values cannot be shown: ${error.message}.`);
    } finally {
      button.disabled = false;
    }
  });
}

function ask(before, signal) {
  const query = new URLSearchParams({ limit: ROWS });
  if (before !== null) query.set("before", before);
  return get(`v1/history/${encoded(key)}?${query}`, { signal }).then(({ body }) => body);
}

// A page that does not reach down to what is on show would leave a gap: then it alone is shown.
function join({ history, next }) {
  const newest = rows[0]?.value;
  const isNew = ({ value }) => newest === undefined || above(newest, value) > 0;
  const added = history.filter(isNew);
  const gap = added.length === history.length && next !== null;
  if (newest === undefined || gap) {
    rows = [];
    older = next;
  }
  rows = [...added.map(newRow), ...rows];
  show();
}

function newRow({ value, token, created_at: moment, api_key: apiKey }) {
  const tr = fromTemplate("history-row");
  const [number, name, when, who] = tr.children;
  setText(number, String(value));
  name.append(tokenWithAttributes(key, token));
  showTime(when.firstElementChild, moment);
  setText(when.querySelector(".exact"), exactly(moment));
  if (apiKey !== null) who.append(element("bdi", { textContent: apiKey }));
  return { value, apiKey, tr };
}

function show() {
  arrange(
    byId("history-rows"),
    rows.map(({ tr }) => tr),
  );
  byId("history").hidden = rows.length === 0;
  byId("history").classList.toggle("nobody", rows.every(({ apiKey }) => apiKey === null));
  byId("older").hidden = older === null;
  if (rows.length === 0 && reachable(key)) {
    notice(byId("history-notice"), "It holds no values: it is turned off, or there were none yet.");
  } else if (reachable(key)) {
    notice(byId("history-notice"), null);
  }
}
