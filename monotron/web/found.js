/** One value of a series: who took it, when, for which token, and what is noted of it. */

import { encoded, reachable, seriesHash } from "./address.js";
import { isHistory, isValue } from "./answers.js";
import { get, Impossible, isFailure } from "./api.js";
import { attributesOf } from "./attributes.js";
import { byId, element, named, notice, say, visible } from "./elements.js";
import { rangeParts } from "./history.js";
import { above } from "./numbers.js";
import { putTime } from "./times.js";
import { showWho } from "./who.js";

const VALUE = /^\d{1,19}$/;

/** The value shown, as `{value, text}`, whose text tells whether anything differs; or null. */
let shown = null;
/** The series whose page is open, or null. */
let key = null;
/** Ends the search that is on its way. */
let searching = new AbortController();

/** Start over, for this series. */
export function openFound(of) {
  searching.abort();
  key = of;
  byId("find").value = "";
  byId("find-form").hidden = of === null || !reachable(of);
  hide();
}

/** End a search under way: whoever has gone elsewhere is not to be led away from there. */
export function leaveFound() {
  searching.abort();
}

/** Show a value of the series, whose state this is; null for none. */
export async function showFound(value, state, signal) {
  if (value === null || !reachable(key)) {
    if (shown !== null) hide();
    return;
  }
  const of = key;
  const taken = await valueOf(of, value, signal);
  const attributes =
    taken?.attributes === undefined ? null : await attributesOf(of, taken.token, signal);
  signal.throwIfAborted();
  const text = JSON.stringify([taken, attributes?.textContent, taken ? null : state.value]);
  if (shown?.value === value && shown.text === text) return;
  const fresh = shown?.value !== value;
  if (taken === null) {
    hide();
    notice(byId("find-notice"), missing(value, state));
    if (fresh) say(missing(value, state));
  } else {
    notice(byId("find-notice"), null);
    show(value, taken, attributes);
    if (fresh) byId("found").scrollIntoView({ block: "nearest" });
  }
  shown = { value, text };
}

/** Make the form lead to the value that the user looks for. */
export function onFind() {
  byId("find-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = byId("find").value;
    if (text.trim() === "") return;
    searching.abort();
    searching = new AbortController();
    try {
      await find(text, searching.signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!isFailure(error)) throw error;
      tell(`It cannot be looked up: ${error.message}.`);
    }
  });
}

async function find(text, signal) {
  const of = key;
  const digits = VALUE.test(text.trim()) ? String(BigInt(text.trim())) : null;
  const found = digits !== null && (await valueOf(of, digits, signal)) !== null;
  const value = found ? digits : await valueOfToken(of, text.trim(), signal);
  if (value === null) {
    const what = digits === null ? "a token" : "a value or a token";
    tell(`The history of this series does not hold “${visible(text.trim())}” as ${what}.`);
    return;
  }
  notice(byId("find-notice"), null);
  const hash = seriesHash(of, value);
  if (location.hash !== hash) location.hash = hash;
  else if (!byId("found").hidden) say(inWords(value));
}

async function valueOf(of, value, signal) {
  const query = new URLSearchParams({ value, fold: "ranges", include: "attributes" });
  const body = await answered(`v1/history/${encoded(of)}?${query}`, isHistory, signal);
  return body?.history[0] ?? null;
}

async function valueOfToken(of, token, signal) {
  if (!reachable(token)) return null;
  const path = `v1/series/${encoded(of)}/${encoded(token)}`;
  const body = await answered(path, isValue, signal);
  return body?.value ?? null;
}

/** Return an answer, or null if there is no such thing, or can be none. */
async function answered(path, holds, signal) {
  try {
    return (await get(path, { signal, holds })).body;
  } catch (error) {
    if (error instanceof Impossible) return null;
    throw error;
  }
}

function missing(value, state) {
  if (above(state.value, value) > 0) {
    return `${value} has not been given out: the series is at ${state.value}.`;
  }
  return `The history of this series does not hold ${value}: it is older, or it was never given out.`;
}

function show(value, taken, attributes) {
  byId("found-title").textContent = `Value ${value}`;
  byId("found-close").href = seriesHash(key);
  const rows = [
    taken.first !== undefined && ["Taken in a range", element("span", {}, ...rangeParts(taken))],
    ["Token", taken.token === null ? "none" : named(taken.token)],
    ["When", filled(putTime, taken.created_at)],
    taken.api_key !== null && ["API key", filled(showWho, taken)],
    taken.moved_from !== undefined && ["Remark", `moved up from ${taken.moved_from}`],
    attributes !== null && ["Attributes", attributes],
  ];
  byId("found-rows").replaceChildren(
    ...rows
      .filter(Boolean)
      .map(([name, content]) =>
        element("div", {}, element("dt", { textContent: name }), element("dd", {}, content)),
      ),
  );
  byId("found").hidden = false;
  say(inWords(value));
}

function filled(show, content) {
  const place = element("span");
  show(place, content);
  return place;
}

function inWords(value) {
  const words = [...byId("found-rows").children].map(({ children: [name, content] }) =>
    `${name.textContent}: ${content.textContent}`,
  );
  return `Value ${value}. ${words.join(". ")}`;
}

function tell(text) {
  notice(byId("find-notice"), text);
  say(text);
}

function hide() {
  // Whatever is hidden loses the focus; the field above is the nearest place for it.
  if (byId("found").contains(document.activeElement)) byId("find").focus({ preventScroll: true });
  shown = null;
  byId("found").hidden = true;
  byId("found-rows").replaceChildren();
  notice(byId("find-notice"), null);
}
