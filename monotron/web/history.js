/** The history of one series: its newest values, kept up to date, and older ones on request. */

import { encoded, reachable, seriesHash } from "./address.js";
import { isHistory } from "./answers.js";
import { get, isFailure } from "./api.js";
import { tokenWithAttributes } from "./attributes.js";
import { arrange, byId, element, fromTemplate, notice } from "./elements.js";
import { above } from "./numbers.js";
import { showTime } from "./times.js";
import { showWho } from "./who.js";

const ROWS = 20;
/**
 * How many rows new values may add to those that the user has asked for: 25 minutes with a new number
 * at each poll. It limits a tab that stays open, because each row's time is updated every second.
 */
const SPARE = 300;

let key = null;
/** Ends what is asked for only while this series is shown. */
let leaving = new AbortController();
/** Each `{value, first, apiKey, attributes, tr}`, newest first; `first` is the first of a range. */
let rows = [];
/** The value below which to ask for older ones, or null. */
let older = null;
/** How many rows the user has asked for, and whether with the button. */
let wanted = ROWS;
let extended = false;

/** Start over, for this series. */
export function openHistory(of) {
  leaving.abort();
  leaving = new AbortController();
  key = of;
  rows = [];
  older = null;
  wanted = ROWS;
  extended = false;
  arrange(byId("history-rows"), []);
  byId("history").hidden = byId("older").hidden = byId("csv").hidden = true;
  notice(byId("history-notice"), null);
}

/** Request the newest values, and put them before those shown. */
export async function refreshHistory(recent, signal) {
  if (!reachable(key)) {
    notice(
      byId("history-notice"),
      "Tokens and older values cannot be shown: a browser removes . and .. from a path.",
    );
    join({ history: recent.map((each) => ({ ...each, token: null, api_key: null })), next: null });
    return;
  }
  join(await ask(null, signal));
}

/** Return the series whose history is shown, as `{key, signal}`; the signal is aborted when it goes. */
export function historyOf() {
  return { key, signal: leaving.signal };
}

/** Make the button request older values. */
export function onOlder() {
  const button = byId("older");
  button.addEventListener("click", async () => {
    const asked = older;
    const { signal } = leaving;
    button.disabled = true;
    try {
      const page = await ask(older, signal);
      // Meanwhile only the newest values may be shown.
      if (signal.aborted || older !== asked) return;
      rows = [...rows, ...page.history.map(newRow)];
      older = page.next;
      wanted = rows.length;
      extended = true;
      show();
    } catch (error) {
      if (signal.aborted) return;
      if (!isFailure(error)) throw error;
      notice(byId("history-notice"), `Older values cannot be shown: ${error.message}.`);
    } finally {
      button.disabled = false;
    }
  });
}

function ask(before, signal) {
  const query = new URLSearchParams({ limit: ROWS, fold: "ranges", include: "attributes" });
  if (before !== null) query.set("before", before);
  const path = `v1/history/${encoded(key)}?${query}`;
  return get(path, { signal, holds: isHistory }).then(({ body }) => body);
}

// A page that does not reach down to the rows shown would leave a gap: then only the page is shown.
function join({ history, next }) {
  const newest = rows[0]?.value;
  const isNew = ({ value }) => newest === undefined || above(newest, value) > 0;
  const added = history.filter(isNew);
  if (added.length === history.length) {
    rows = [];
    older = next;
    wanted = ROWS;
    extended = false;
  }
  wanted = Math.max(wanted, history.length);
  const went = cut(added.length);
  rows = [...added.map(newRow), ...rows];
  if (went) older = next === null ? null : rows.at(-1).first;
  history.forEach(note);
  show();
}

/**
 * Make room for `coming` rows by removing the oldest; return whether any were removed. Within SPARE,
 * rows that the user sees or works with stay, and all of them once the button has been used.
 */
function cut(coming) {
  // The values that the button is requesting follow the last row.
  if (byId("older").disabled) return false;
  const before = rows.length;
  while (rows.length + coming > wanted) {
    const spared = rows.length + coming <= wanted + SPARE;
    if (spared && (extended || inUse(rows.at(-1).tr))) break;
    rows.pop();
  }
  return rows.length < before;
}

// If a row above the lower edge of the window were removed, the visible content would move.
function inUse(tr) {
  const selection = getSelection();
  return (
    tr.getBoundingClientRect().top < innerHeight ||
    tr.contains(document.activeElement) ||
    tr.querySelector("details[open]") !== null ||
    (!selection.isCollapsed && selection.containsNode(tr, true))
  );
}

function newRow(taken) {
  const tr = fromTemplate("history-row");
  const { value, first = value, token, api_key: apiKey } = taken;
  const [number, what, when, who] = tr.children;
  const text = rangeParts(taken);
  number.append(...(reachable(key) ? [element("a", { href: seriesHash(key, value) }, ...text)] : text));
  what.append(tokenWithAttributes(key, token, taken.attributes), remark(taken));
  showTime(when, taken.created_at);
  showWho(who, taken);
  return { value, first, apiKey, attributes: taken.attributes, tr };
}

/** Return what shows a value, or the range that one call took: "1203–1242, 40 numbers". */
export function rangeParts({ value, first, count }) {
  if (first === undefined) return [String(value)];
  return [`${first}–${value}, `, element("span", { textContent: `${count} numbers` })];
}

function remark({ moved_from: from }) {
  if (from === undefined) return "";
  return element("p", { className: "remark", textContent: `moved up from ${from}` });
}

// Attributes are often noted when the build is over, long after its number was taken.
function note({ value, token, attributes }) {
  const row = rows.find((each) => each.value === value);
  if (row === undefined || same(row.attributes, attributes)) return;
  row.attributes = attributes;
  const place = row.tr.querySelector(".token");
  const open = place.querySelector("details[open]") !== null;
  const made = tokenWithAttributes(key, token, attributes);
  place.firstElementChild.replaceWith(made);
  if (open) made.querySelector("details")?.setAttribute("open", "");
}

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

function show() {
  arrange(
    byId("history-rows"),
    rows.map(({ tr }) => tr),
  );
  byId("history").hidden = rows.length === 0;
  byId("history").classList.toggle("nobody", rows.every(({ apiKey }) => apiKey === null));
  byId("older").hidden = older === null;
  byId("csv").hidden = rows.length === 0 || !reachable(key);
  if (rows.length === 0 && reachable(key)) {
    notice(byId("history-notice"), "It is empty: history is off, or no value has been taken yet.");
  } else if (reachable(key)) {
    notice(byId("history-notice"), null);
  }
}
