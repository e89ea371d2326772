/** The list: one page of series, kept up to date, and what it is searched for and sorted by. */

import { BASE, listHash } from "./address.js";
import { isPage } from "./answers.js";
import { command, nextNumber } from "./commands.js";
import { credentials } from "./credentials.js";
import { arrange, byId, notice, say, setText, visible } from "./elements.js";
import { onCount, seriesCount } from "./glance.js";
import { watchUse } from "./in_use.js";
import { showPages } from "./pages.js";
import { poll } from "./poll.js";
import { isEverything, order, path, pause, which } from "./search.js";
import { idOf, newRow, update } from "./series_row.js";

const ROWS = 50;
const TYPING = 200;

/** Where the user was when leaving the list: its hash, the scroll position and the focused row. */
let left = null;
/** The place and the hash that the rows shown belong to, or null, and the page's last answer. */
let shown = null;
const rows = new Map();
/** An answer whose rows are not in its order yet, because the user is at work in the list. */
let waiting = null;
/** When each row's series had last changed as the rows were put in order. */
let placed = new Map();
/** The timer that runs while the user types. */
let typing = null;

const inUse = watchUse(byId("rows"), () => {
  if (waiting) settle(waiting);
});

export const seriesList = {
  section: byId("list"),

  /** Show it, and keep it up to date until the given function is called. */
  open(place, page) {
    const hash = listHash(place);
    showSearch(place, page.staying);
    if (shown?.hash === hash) page.ready();
    const watcher = {
      ...page,
      answered(body) {
        const fresh = shown?.hash !== hash;
        shown = { hash, place, body };
        show(body, fresh);
        page.ready();
        if (fresh) say(inWords(body, place));
      },
      troubled(error) {
        // Other rows would belong to another search.
        if (shown?.hash !== hash) clear();
        page.troubled(error);
        page.ready();
      },
      impossible(error) {
        clear();
        notice(byId("list-notice"), `Monotron cannot search for that: ${error.message}.`);
        page.ready();
        page.fine();
      },
    };
    const stop = poll(() => path(place, ROWS), isPage, watcher, pause(place));
    return () => {
      clearTimeout(typing);
      left = { hash, scroll: scrollY, id: document.activeElement?.dataset?.id };
      stop();
    };
  },

  /** Take the user back to where the list was left; return whether it was left there. */
  resume(hash) {
    if (left?.hash !== hash) return false;
    (rows.get(left.id)?.link ?? byId("list-title")).focus({ preventScroll: true });
    scrollTo(0, left.scroll);
    return true;
  },

  clear,
};

/** Call `go` with the hash of each list that the user asks for; `current` returns the place shown. */
export function onSearch(go, current) {
  const search = byId("search");
  const change = (wanted) => go(listHash({ ...current(), ...wanted, after: "" }));
  const now = () => change({ find: search.value });
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(now, TYPING);
  });
  byId("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    now();
  });
  byId("since").addEventListener("change", () => {
    change({ find: search.value, since: byId("since").value });
  });
  for (const { dataset, firstElementChild: button } of columns()) {
    button.addEventListener("click", () => change({ find: search.value, sort: dataset.sort }));
  }
  onCount(() => {
    if (shown) showPlace();
  });
}

function clear() {
  rows.clear();
  arrange(byId("rows"), []);
  byId("series").hidden = byId("pages").hidden = byId("first").hidden = true;
  byId("held").hidden = true;
  byId("first-command").replaceChildren();
  notice(byId("list-notice"), null);
  shown = left = waiting = null;
}

function columns() {
  return document.querySelectorAll("#series th[data-sort]");
}

function showSearch(place, staying) {
  const search = byId("search");
  // What has been typed since the last change of the address is still to be searched for.
  if (!staying || document.activeElement !== search) search.value = place.find;
  byId("since").value = place.since;
  byId("prefixed").hidden = !place.prefix;
  setText(byId("prefix"), visible(place.prefix));
  byId("every-key").setAttribute("href", listHash({ ...place, prefix: "", after: "" }));
  for (const column of columns()) {
    if (column.dataset.sort !== place.sort) column.removeAttribute("aria-sort");
    else column.ariaSort = place.sort === "key" ? "ascending" : "descending";
  }
}

function show(body, fresh) {
  if (fresh || !moves(body) || !inUse()) return settle(body);
  for (const state of body.series) {
    const row = rows.get(idOf(state));
    if (row) update(row, state);
  }
  hold(body);
}

/** Return whether a row would come, go, or stand elsewhere. */
function moves({ series }) {
  const there = [...byId("rows").children].map((tr) => tr.querySelector("a").dataset.id);
  return there.length !== series.length || series.some((each, place) => there[place] !== idOf(each));
}

function hold(body) {
  waiting = body;
  const there = new Set(body.series.map(idOf));
  const came = body.series.filter((each) => placed.get(idOf(each)) !== each.updated_at).length;
  const went = [...placed.keys()].filter((id) => !there.has(id)).length;
  // A row that comes onto a full page pushes another one off it.
  const changed = Math.max(came, went);
  const changes = changed === 1 ? "1 change" : `${changed} changes`;
  setText(byId("held"), `${changes}: the list is sorted again when you leave it.`);
  byId("held").hidden = false;
}

function settle(body) {
  const { series } = body;
  waiting = null;
  byId("held").hidden = true;
  const wanted = new Set(series.map(idOf));
  for (const id of rows.keys()) if (!wanted.has(id)) rows.delete(id);
  for (const state of series) {
    const row = rows.get(idOf(state)) ?? newRow(state);
    rows.set(idOf(state), row);
    update(row, state);
  }
  placed = new Map(series.map((each) => [idOf(each), each.updated_at]));
  keepingFocus(() => arrange(byId("rows"), series.map((each) => rows.get(idOf(each)).tr)));
  byId("series").hidden = series.length === 0;
  byId("series").classList.toggle("nobody", series.every(({ api_key: key }) => !key));
  showPlace();
}

// An element that moves loses the focus.
function keepingFocus(act) {
  const focused = document.activeElement;
  act();
  if (focused?.isConnected && document.activeElement !== focused) {
    focused.focus({ preventScroll: true });
  }
}

function showPlace() {
  const { place, body } = shown;
  const { series, next } = body;
  setText(byId("caption"), `Series, sorted ${order(place)}`);
  showEmpty(series.length === 0, place);
  const all = isEverything(place) ? seriesCount() : null;
  showPages(place, { next, count: series.length, all, rows: ROWS });
}

function showEmpty(empty, place) {
  const first = empty && isEverything(place) && !place.after;
  byId("first").hidden = !first;
  if (first && byId("first-command").children.length === 0) {
    const line = nextNumber(BASE, "my-job", credentials() !== null);
    byId("first-command").append(command("From a shell", line));
  }
  const where = place.after ? " on this page" : "";
  notice(byId("list-notice"), empty && !first ? `There are no series${which(place)}${where}.` : null);
}

function inWords({ series, next }, place) {
  const where = place.after ? " on this page" : "";
  const more = next === null ? "" : ", more on the next page";
  return `${series.length} series${which(place)}${where}, sorted ${order(place)}${more}`;
}
