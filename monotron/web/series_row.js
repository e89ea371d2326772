/** One row of the list: a series, or a version with all the series that count its parts. */

import { seriesHash, versionHash } from "./address.js";
import { bars, total } from "./bars.js";
import { element, fromTemplate, mark, named, setText, showName, visible } from "./elements.js";
import { isNear, limitText } from "./limit.js";
import { showTime } from "./times.js";

/** A token that the style sheet certainly does not cut off. */
const SHORT = /^[\x20-\x7e]{0,20}$/;
/** How long a version may be to stand on one line. */
const ONE_LINE = 20;
/** How many values history holds by default: of more than that, nobody has counted all. */
const COUNTED = 1_000;

/** Return what tells a row from all others: the address of its page. */
export function idOf({ key, version }) {
  return version ? versionHash(version.name) : seriesHash(key);
}

/** Return a new row, `{tr, link, state}`, which `update` fills. */
export function newRow(state) {
  const name = state.version?.name ?? state.key;
  const tr = fromTemplate("row");
  const link = tr.querySelector("a");
  link.href = link.dataset.id = idOf(state);
  link.dataset.key = name;
  link.title = visible(name);
  showName(link.firstElementChild, name);
  tr.querySelector(".kind").hidden = !state.version;
  return { tr, link, state: null };
}

/** Show the state of a row, and mark it if it is another one than before. */
export function update(row, state) {
  const { tr, state: was } = row;
  const part = (name) => tr.querySelector(`.${name}`);
  showValue(part("value"), state);
  if (was?.token !== state.token || was === null) showToken(part("token"), state.token);
  showTime(part("when"), state.updated_at);
  showWho(part("who"), state);
  if (JSON.stringify(was?.activity) !== JSON.stringify(state.activity)) {
    showHours(part("hours"), state.activity);
  }
  if (was !== null && was.updated_at !== state.updated_at) mark(tr);
  row.state = state;
}

function showValue(cell, state) {
  const { version } = state;
  const [value, release, near] = cell.children;
  setText(value, version ? version.version : String(state.value));
  setText(release, version?.release ? `release ${version.release}` : "");
  setText(near, !version && isNear(state) ? `limit ${limitText(state)}` : "");
  cell.classList.toggle("version", version !== undefined);
  cell.classList.toggle("wide", (version?.version.length ?? 0) > ONE_LINE);
}

function showToken(cell, token) {
  const text = token === null ? "" : visible(token);
  cell.title = text;
  cell.replaceChildren(token === null ? "" : named(token));
  // For users without a pointer: the style sheet shows the whole token while the row has the focus.
  cell.classList.toggle("long", !SHORT.test(text));
  cell.dataset.whole = text;
}

function showWho(cell, { api_key: key, api_key_name: name }) {
  showName(cell.firstElementChild, name ?? key ?? "");
  cell.title = visible(key ?? "");
}

function showHours(cell, activity) {
  const sum = total(activity);
  const count = element("span", { className: "sum", textContent: sum < COUNTED ? sum : `${sum}+` });
  // The drawing says it in words.
  count.ariaHidden = "true";
  cell.replaceChildren(element("div", { className: "drawn" }, bars(activity), count));
  cell.classList.toggle("none", sum === 0);
}
