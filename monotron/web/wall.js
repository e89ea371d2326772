/**
 * The wall: what changed last, in large numbers on a screen that nobody touches. It stays open for
 * weeks, so an update reuses what the one before it made.
 */

import { chosenAccount } from "./account.js";
import { isWall } from "./answers.js";
import { arrange, byId, fromTemplate, notice, say, setText, showName, visible } from "./elements.js";
import { poll } from "./poll.js";
import { showTime } from "./times.js";

/** As many as fit the tallest screen. */
const ENTRIES = 40;
/** How long an entry is marked after a change, in ms: people only glance at a wall. */
const MARKED = 30_000;
/** From how many characters on a value or a version is shown smaller, and smaller still. */
const LONG = 8;
const LONGEST = 12;

/** Each entry shown, by what it is about. */
const entries = new Map();
/** The account and the prefix that the entries belong to, or null. */
let shown = null;
/** When the newest change was. */
let newest = "";
/** For how many entries the screen has room; 0 if that is not known. */
let room = 0;

export const wall = {
  section: byId("wall"),

  /** Show it, and keep it up to date until the given function is called. */
  open({ prefix }, page) {
    const which = `${chosenAccount()} ${prefix}`;
    if (shown !== which) clear();
    setText(byId("wall-of"), inWords(prefix));
    addEventListener("resize", measure);
    room = 0;
    const stop = poll(path(prefix), isWall, {
      ...page,
      answered({ series }) {
        show(series, shown !== null);
        shown = which;
        newest = series[0]?.updated_at ?? newest;
        notice(byId("wall-notice"), series.length > 0 ? null : empty(prefix));
        page.ready();
        // Measuring at each update would keep a small machine busy.
        if (room === 0) measure();
        else fit();
      },
      impossible(error) {
        clear();
        notice(byId("wall-notice"), `Monotron cannot search for that: ${error.message}.`);
        page.ready();
        page.fine();
      },
      troubled(error) {
        page.troubled(error);
        page.ready();
      },
    });
    return () => {
      removeEventListener("resize", measure);
      stop();
    };
  },

  clear,
};

function clear() {
  for (const entry of entries.values()) clearTimeout(entry.timer);
  entries.clear();
  arrange(byId("wall-rows"), []);
  notice(byId("wall-notice"), null);
  shown = null;
  newest = "";
}

function path(prefix) {
  const query = new URLSearchParams({ sort: "changed", fold: "versions", include: "who" });
  query.set("limit", ENTRIES);
  if (prefix) query.set("prefix", prefix);
  return `v1/series?${query}`;
}

/** Show these, newest change first; with `marking`, mark what has changed since. */
function show(series, marking) {
  const names = new Set(series.map(nameOf));
  for (const [name, { timer }] of entries) {
    if (names.has(name)) continue;
    clearTimeout(timer);
    entries.delete(name);
  }
  const changed = series.filter((state) => update(state) && marking);
  for (const state of changed) mark(entries.get(nameOf(state)));
  arrange(
    byId("wall-rows"),
    series.map((state) => entries.get(nameOf(state)).tr),
  );
  byId("wall-table").hidden = series.length === 0;
  const nobody = series.every((state) => state.api_key === null);
  byId("wall-table").classList.toggle("nobody", nobody);
  if (changed.length > 0) say(changed.map((state) => `${visible(title(state))}: ${number(state)}`).join(", "));
}

/**
 * Update the entry of a series or version, or make it; return whether that is a change. An entry that
 * only moves up into the place of one that is gone is none.
 */
function update(state) {
  const name = nameOf(state);
  const entry = entries.get(name) ?? { tr: fromTemplate("wall-row"), at: null, timer: null };
  entries.set(name, entry);
  const [what, value, token, who, when] = entry.tr.children;
  showName(what.querySelector("bdi"), title(state));
  const text = number(state);
  setText(value.firstElementChild, text);
  value.classList.toggle("long", text.length >= LONG && text.length < LONGEST);
  value.classList.toggle("longest", text.length >= LONGEST);
  showName(token.firstElementChild, state.token ?? "");
  showName(who.firstElementChild, state.api_key_name ?? state.api_key ?? "");
  showTime(when, state.updated_at);
  const changed = entry.at === null ? state.updated_at > newest : entry.at !== state.updated_at;
  entry.at = state.updated_at;
  return changed;
}

/** Let a word and a bar say for a while that this has changed. */
function mark(entry) {
  clearTimeout(entry.timer);
  entry.tr.classList.add("new");
  setText(entry.tr.querySelector(".mark"), "changed");
  entry.timer = setTimeout(() => {
    entry.tr.classList.remove("new");
    setText(entry.tr.querySelector(".mark"), "");
  }, MARKED);
}

/** Find out for how many entries the screen has room. */
function measure() {
  const first = byId("wall-rows").firstElementChild;
  if (first === null) return;
  first.hidden = false;
  const { top, height } = first.getBoundingClientRect();
  const end = byId("wall-end").getBoundingClientRect().top;
  // A part of one says more than nothing.
  room = Math.max(1, Math.floor((end - top) / height));
  fit();
}

/** Hide the entries for which there is none. */
function fit() {
  [...byId("wall-rows").children].forEach((tr, place) => {
    tr.hidden = place >= room;
  });
}

/** A version is one entry, whichever of its series counted last. */
function nameOf({ key, version }) {
  return version ? `version ${version.name}` : `series ${key}`;
}

function title({ key, version }) {
  return version ? version.name : key;
}

function number({ value, version }) {
  return version ? version.version : String(value);
}

function inWords(prefix) {
  const account = chosenAccount() === null ? "" : `Account ${chosenAccount()}. `;
  return account + (prefix ? `Series that start with “${visible(prefix)}”` : "All series");
}

function empty(prefix) {
  return prefix ? `No series starts with “${visible(prefix)}”.` : "No series yet.";
}
