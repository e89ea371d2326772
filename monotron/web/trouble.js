/** Answers that do not come: what is wrong, and since when. */

import { byId, setText } from "./elements.js";
import { minute } from "./times.js";

/** When answers stopped, or null. */
let silentSince = null;

export function troubled(error) {
  silentSince ??= minute(new Date());
  setText(byId("trouble"), inWords(error, silentSince));
}

export function fine() {
  silentSince = null;
  setText(byId("trouble"), "");
}

function inWords({ unreachable, message }, since) {
  if (unreachable) return `Monotron has been unreachable since ${since} (retrying)`;
  return `${message} (since ${since}, retrying)`;
}
