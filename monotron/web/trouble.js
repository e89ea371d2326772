/** Answers that do not come: what is wrong, and since when. */

import { byId, setText } from "./elements.js";
import { exactly, minute } from "./times.js";

/** When answers stopped, or null. */
let silentSince = null;

export function troubled(error) {
  silentSince ??= new Date();
  setText(byId("trouble"), inWords(error, moment(silentSince, new Date())));
}

export function fine() {
  silentSince = null;
  setText(byId("trouble"), "");
}

/** Return the local time, with the day unless it is the same as now. */
function moment(then, now) {
  const day = exactly(then).slice(0, 10);
  return day === exactly(now).slice(0, 10) ? minute(then) : `${day} ${minute(then)}`;
}

function inWords({ unreachable, message }, since) {
  if (unreachable) return `Monotron has been unreachable since ${since} (retrying)`;
  return `${message} (since ${since}, retrying)`;
}
