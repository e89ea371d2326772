/** The whole account at a glance: its series, how busy it is, and whether the store is well. */

import { isActivity } from "./answers.js";
import { get, isFailure } from "./api.js";
import { byId, setText } from "./elements.js";
import { poll } from "./poll.js";
import { minute, now } from "./times.js";

const EVERY = 60_000;
const HOUR = 3_600_000;
/** A day has up to 25 hours where clocks are put back, and the hour before it is counted too. */
const HOURS = 26;

/** What stands in the place of a figure that is not known yet. */
const UNKNOWN = "…";

/** How many rows the list has on all pages, or null if nobody knows. */
let counted = null;
let told = () => {};
let stop = null;

/** Show it, and keep it up to date as long as it is wanted. */
export function showGlance(wanted) {
  if (!wanted) {
    stop?.();
    stop = null;
  } else stop ??= start();
}

/** Forget what was shown. */
export function clearGlance() {
  showGlance(false);
  counted = null;
  for (const { id } of byId("glance").querySelectorAll("dd")) figure(id, UNKNOWN);
}

/** Return how many rows the list of everything has on all pages, or null if nobody knows. */
export function seriesCount() {
  return counted;
}

/** Call `changed` whenever that is another number. */
export function onCount(changed) {
  told = changed;
}

function start() {
  // What is wrong is told by the list, which asks more often.
  const watcher = { refused() {}, impossible() {}, troubled() {}, fine() {} };
  const path = `v1/activity?by=hour&last=${HOURS}`;
  const watch = (answered) => ({ ...watcher, answered });
  const stops = [
    poll(path, isActivity, watch(showActivity), EVERY),
    poll("readyz", isReady, { ...watch(() => showStore("ready")), troubled: unwell }, EVERY),
  ];
  return () => stops.forEach((each) => each());
}

async function showActivity({ activity, series, more }, signal) {
  // Without versions, each series has a row of its own.
  const rows = more || (await hasVersions(signal)) ? null : series;
  const counts = activity.map(({ start: at, count }) => [Date.parse(at), count]);
  const hour = Math.floor(now() / HOUR) * HOUR;
  const sum = (from, to) =>
    counts.reduce((all, [at, count]) => (at >= from && at < to ? all + count : all), 0);
  const midnight = new Date(now()).setHours(0, 0, 0, 0);
  figure("glance-series", more ? `more than ${inGroups(series)}` : inGroups(series));
  figure("glance-today", inGroups(sum(midnight, Infinity)));
  figure(
    "glance-hour",
    inGroups(sum(hour, Infinity)),
    `since ${minute(new Date(hour))}; ${inGroups(sum(hour - HOUR, hour))} in the hour before`,
  );
  if (rows === counted) return;
  counted = rows;
  told();
}

async function hasVersions(signal) {
  try {
    const { body } = await get("v1/semver?limit=1", { signal });
    return body.versions?.length !== 0;
  } catch (error) {
    if (!isFailure(error)) throw error;
    return true;
  }
}

function isReady(body) {
  return body?.status === "ready";
}

function unwell({ status }) {
  showStore(status === 503 ? "not ready" : UNKNOWN);
}

function showStore(state) {
  figure("glance-store", state);
  byId("glance-store").classList.toggle("wrong", state === "not ready");
}

function figure(id, text, note = "") {
  const [main, beside] = byId(id).children;
  setText(main, text);
  setText(beside, note);
}

function inGroups(count) {
  return count.toLocaleString("en");
}
