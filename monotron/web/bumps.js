/** The bumps of a version: the newest ones, kept up to date, older ones on request, and their series. */

import { encoded, seriesHash } from "./address.js";
import { isBumps } from "./answers.js";
import { get, isFailure } from "./api.js";
import { arrange, byId, element, fromTemplate, named, notice } from "./elements.js";
import { showTime } from "./times.js";
import { showWho } from "./who.js";

const ROWS = 20;

let name = null;
/** Ends what is asked for only while this version is shown. */
let leaving = new AbortController();
/** Each `{bump, tr}`, newest first. */
let rows = [];
/** The version before which to ask for older ones, or null. */
let older = null;
/** Whether the user has asked for older ones. */
let extended = false;

/** Start over, for the versions of this name. */
export function openBumps(of) {
  leaving.abort();
  leaving = new AbortController();
  name = of;
  rows = [];
  older = null;
  extended = false;
  show();
}

/** Return the newest bump, or null. */
export function newestBump() {
  return rows[0]?.bump ?? null;
}

/** Request the newest bumps, and put them before the older ones. */
export async function refreshBumps(signal) {
  const { history, next } = await ask(null, signal);
  const last = rows.findIndex(({ bump }) => bump.version === history.at(-1)?.version);
  const rest = extended && next !== null && last >= 0 ? rows.slice(last + 1) : [];
  if (rest.length === 0) {
    older = next;
    extended = false;
  }
  rows = [...history.map(rowOf), ...rest];
  show();
}

/** Make the button request older bumps. */
export function onOlderBumps() {
  const button = byId("bumps-older");
  button.addEventListener("click", async () => {
    const asked = older;
    const { signal } = leaving;
    button.disabled = true;
    try {
      const { history, next } = await ask(older, signal);
      // Meanwhile only the newest bumps may be shown.
      if (signal.aborted || older !== asked) return;
      rows = [...rows, ...history.map(rowOf)];
      older = next;
      extended = true;
      show();
    } catch (error) {
      if (signal.aborted) return;
      if (!isFailure(error)) throw error;
      notice(byId("bumps-notice"), `Older versions cannot be shown: ${error.message}.`);
    } finally {
      button.disabled = false;
    }
  });
}

function ask(before, signal) {
  const query = new URLSearchParams({ limit: ROWS });
  if (before !== null) query.set("before", before);
  const path = `v1/semver/${encoded(name)}/history?${query}`;
  return get(path, { signal, holds: isBumps }).then(({ body }) => body);
}

/** Return the row of a bump: the one that is there already, if the bump is the same. */
function rowOf(bump) {
  const there = rows.find((row) => JSON.stringify(row.bump) === JSON.stringify(bump));
  return there ?? { bump, tr: newRow(bump) };
}

function newRow(bump) {
  const { version, token, created_at: moment, key, value } = bump;
  const tr = fromTemplate("bump-row");
  const [number, what, when, who, counted] = tr.children;
  number.append(version);
  what.append(named(token));
  if (moment === null) when.replaceChildren("unknown");
  else showTime(when, moment);
  showWho(who, bump);
  counted.append(element("a", { href: seriesHash(key, value) }, named(key)), ` ${value}`);
  return tr;
}

function show() {
  arrange(
    byId("bumps-rows"),
    rows.map(({ tr }) => tr),
  );
  byId("bumps").classList.toggle("nobody", rows.every(({ bump }) => bump.api_key === null));
  byId("bumps").hidden = rows.length === 0;
  byId("bumps-older").hidden = older === null;
  notice(byId("bumps-notice"), name !== null && rows.length === 0 ? "No bump is known." : null);
  showParts();
}

/** Show each series that counted one of the bumps; the one of the newest first. */
function showParts() {
  const keys = [...new Set(rows.map(({ bump }) => bump.key))];
  const shown = [...byId("parts").children].map(({ dataset }) => dataset.key);
  if (JSON.stringify(keys) === JSON.stringify(shown)) return;
  byId("parts").replaceChildren(
    ...keys.map((key) => {
      const item = element("li", {}, element("a", { href: seriesHash(key) }, named(key)));
      item.dataset.key = key;
      return item;
    }),
  );
}
