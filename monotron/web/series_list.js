/** The list: one page of series, ordered by key, and the search by prefix. */

import { BASE, listHash, seriesHash } from "./address.js";
import { isSeries } from "./answers.js";
import { chart } from "./chart.js";
import { command, nextNumber } from "./commands.js";
import {
  arrange,
  byId,
  fromTemplate,
  mark,
  named,
  notice,
  say,
  setText,
  showName,
  visible,
} from "./elements.js";
import { isNear, limitText } from "./limit.js";
import { poll } from "./poll.js";
import { showTime } from "./times.js";

const ROWS = 50;
const VALUES = 20;
const TYPING = 200;
/** A token that the style sheet certainly does not cut off. */
const SHORT = /^[\x20-\x7e]{0,20}$/;

/** Where the user was when leaving the list: its hash, the scroll position and the focused key. */
let left = null;
/** The hash that the rows shown belong to, or null. */
let shown = null;
/** The hash of each page's previous page, as far as this visit knows. */
const before = new Map();
const rows = new Map();
/** The timer that runs while the user types. */
let typing = null;

export const seriesList = {
  section: byId("list"),

  /** Show it, and keep it up to date until the given function is called. */
  open({ prefix, after }, page) {
    const hash = listHash(prefix, after);
    const search = byId("search");
    if (document.activeElement !== search) search.value = prefix;
    if (shown === hash) page.ready();
    const stop = poll(path(prefix, after), isSeries, {
      ...page,
      answered(body) {
        const fresh = shown !== hash;
        show(body, prefix, after);
        shown = hash;
        page.ready();
        if (fresh) say(inWords(body, prefix, after));
      },
      impossible(error) {
        clear();
        notice(byId("list-notice"), `Monotron cannot search for that: ${error.message}.`);
        page.ready();
        page.fine();
      },
    });
    return () => {
      clearTimeout(typing);
      left = { hash, scroll: scrollY, key: document.activeElement?.dataset?.key };
      stop();
    };
  },

  /** Take the user back to where the list was left; return whether it was left there. */
  resume(hash) {
    if (left?.hash !== hash) return false;
    (rows.get(left.key)?.link ?? byId("list-title")).focus({ preventScroll: true });
    scrollTo(0, left.scroll);
    return true;
  },

  clear,
};

/** Call `go` with the hash of each new search. */
export function onSearch(go) {
  const search = byId("search");
  const now = () => go(listHash(search.value, ""));
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(now, TYPING);
  });
  byId("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    now();
  });
}

function clear() {
  rows.clear();
  arrange(byId("rows"), []);
  byId("series").hidden = byId("pages").hidden = byId("first").hidden = true;
  notice(byId("list-notice"), null);
  shown = left = null;
}

function path(prefix, after) {
  const query = new URLSearchParams({ limit: ROWS, recent: VALUES });
  if (prefix) query.set("prefix", prefix);
  if (after) query.set("after", after);
  return `v1/series?${query}`;
}

function show({ series, next }, prefix, after) {
  const keys = new Set(series.map(({ key }) => key));
  for (const key of rows.keys()) if (!keys.has(key)) rows.delete(key);
  for (const state of series) {
    const row = rows.get(state.key) ?? newRow(state.key);
    rows.set(state.key, row);
    update(row, state);
  }
  arrange(byId("rows"), series.map(({ key }) => rows.get(key).tr));
  byId("series").hidden = series.length === 0;
  showEmpty(series.length === 0, prefix, after);
  showPages(series.length, next, prefix, after);
}

function newRow(key) {
  const tr = fromTemplate("row");
  const link = tr.querySelector("a");
  link.href = seriesHash(key);
  link.dataset.key = key;
  link.title = visible(key);
  showName(link.firstElementChild, key);
  return { tr, link, state: null };
}

function update(row, state) {
  const { tr, state: was } = row;
  const [value, token, when, drawing] = [...tr.children].slice(1);
  setText(value.firstElementChild, String(state.value));
  setText(value.lastElementChild, isNear(state) ? `limit ${limitText(state)}` : "");
  if (was?.token !== state.token || was === null) showToken(token, state.token);
  showTime(when, state.updated_at);
  if (JSON.stringify(was?.recent) !== JSON.stringify(state.recent)) {
    drawing.replaceChildren(chart(state.recent));
    drawing.classList.toggle("few", state.recent.length < 2);
  }
  if (was !== null && was.updated_at !== state.updated_at) mark(tr);
  row.state = state;
}

function showToken(cell, token) {
  const text = token === null ? "" : visible(token);
  cell.title = text;
  cell.replaceChildren(token === null ? "" : named(token));
  // For users without a pointer: the style sheet shows the whole token while the row has the focus.
  cell.classList.toggle("long", !SHORT.test(text));
  cell.dataset.whole = text;
}

function showEmpty(empty, prefix, after) {
  const first = empty && !prefix && !after;
  byId("first").hidden = !first;
  if (first && byId("first-command").children.length === 0) {
    byId("first-command").append(command("From a shell", nextNumber(BASE, "my-job")));
  }
  const which = prefix ? `No series starts with “${prefix}”` : "There are no series";
  const where = after ? ` after “${after}”` : "";
  notice(byId("list-notice"), empty && !first ? `${which}${where}.` : null);
}

function showPages(count, next, prefix, after) {
  const here = listHash(prefix, after);
  if (next !== null) before.set(listHash(prefix, next), here);
  byId("pages").hidden = next === null && !after;
  link(byId("next"), next === null ? null : listHash(prefix, next));
  link(byId("previous"), after ? (before.get(here) ?? listHash(prefix, "")) : null);
  setText(byId("previous"), before.has(here) ? "Previous" : "First page");
  setText(byId("count"), `${count} series on this page`);
}

function link(anchor, hash) {
  anchor.hidden = hash === null;
  if (hash !== null) anchor.setAttribute("href", hash);
}

function inWords({ series, next }, prefix, after) {
  const which = prefix ? ` that start with “${prefix}”` : "";
  const more = next === null ? "" : ", more on the next page";
  return `${series.length} series${which}${after ? " on this page" : ""}${more}`;
}
