/** What the list is searched for, how far back and in which order: as a query, and in words. */

import { visible } from "./elements.js";
import { now } from "./times.js";

/** How often to ask for a page if the service has to read all series for it. */
const EVERY = 15_000;

const HOUR = 3_600_000;
const MINUTE = 60_000;

/** Each span of time that a change may lie back: its length, and its name. */
const SPANS = {
  hour: [HOUR, "in the last hour"],
  day: [24 * HOUR, "in the last day"],
  week: [7 * 24 * HOUR, "in the last week"],
};

const ORDERS = {
  key: "by key",
  value: "by value, highest first",
  changed: "by last change, newest first",
};

/** Return the path of a page with so many rows. */
export function path({ find, prefix, sort, since, after }, rows) {
  const query = new URLSearchParams({ limit: rows, sort, fold: "versions", include: "activity,who" });
  if (find) query.set("find", find);
  if (prefix) query.set("prefix", prefix);
  if (since) query.set("changed_since", moment(SPANS[since][0]));
  if (after) query.set("after", after);
  return `v1/series?${query}`;
}

/** Return how many ms lie between two polls, or undefined for as many as usual. */
export function pause({ find, sort }) {
  return find || sort === "value" ? EVERY : undefined;
}

/** Return whether every series is wanted. */
export function isEverything({ find, prefix, since }) {
  return !find && !prefix && !since;
}

/** Return the order in words. */
export function order({ sort }) {
  return ORDERS[sort];
}

/** Return which series are found: " that match “shop” and changed in the last hour". */
export function which({ find, prefix, since }) {
  const words = [];
  if (prefix) words.push(`start with “${visible(prefix)}”`);
  if (find) words.push(`match “${visible(find)}”`);
  if (since) words.push(`changed ${SPANS[since][1]}`);
  return words.length === 0 ? "" : ` that ${words.join(" and ")}`;
}

// In whole minutes, so that most polls ask for exactly the same.
function moment(span) {
  return new Date(Math.floor((now() - span) / MINUTE) * MINUTE).toISOString();
}
