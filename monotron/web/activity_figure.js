/** How many numbers a series gave out when: a chart, and the same as a table. */

import { activityChart, bucketName } from "./activity_chart.js";
import { encoded, reachable } from "./address.js";
import { isActivity } from "./answers.js";
import { get, isFailure } from "./api.js";
import { choice } from "./choice.js";
import { byId, element, notice, setText } from "./elements.js";
import { exactly, now } from "./times.js";

const HOUR = 3_600_000;

/** Each period: its name, what its bars are, how many there are, and the period in words. */
const PERIODS = {
  day: ["Day", "hour", 24, "the last 24 hours"],
  week: ["Week", "day", 7, "the last 7 days"],
  hours: ["Week by hour", "hour", 168, "the last 7 days"],
  month: ["Month", "day", 30, "the last 30 days"],
};

/** The period that the user picked last, here or for another series. */
let picked = "day";
/** The series whose page is open, or null. */
let key = null;
/** What is drawn, as text, and the hour in which it was requested. */
let drawn = null;
let hour = null;
/** Ends the request that the user or the clock has caused. */
let asking = new AbortController();

/** Start over, for this series. */
export function openActivity(of) {
  asking.abort();
  key = of;
  drawn = hour = null;
  byId("activity").hidden = true;
  byId("activity-chart").replaceChildren();
  byId("activity-rows").replaceChildren();
  if (of === null || byId("activity-periods").children.length > 0) return;
  const options = Object.entries(PERIODS).map(([period, [name]]) => [period, name]);
  byId("activity-periods").replaceChildren(choice("Period", options, picked, pick));
}

/** Request the numbers, and draw them if they have changed. */
export async function refreshActivity(signal) {
  if (!reachable(key)) return;
  const period = picked;
  const [, by, last, words] = PERIODS[period];
  const query = new URLSearchParams({ by, last });
  const asked = thisHour();
  const { body } = await get(`v1/activity/${encoded(key)}?${query}`, { signal, holds: isActivity });
  // Meanwhile the user may have picked another one.
  if (period !== picked) return;
  hour = asked;
  notice(byId("activity-note"), gap(body));
  const text = JSON.stringify([period, body]);
  if (text === drawn) return;
  drawn = text;
  draw(body.activity, by, words);
}

/** Move on with the hours, though no number is given out. */
export function passTime() {
  if (hour !== null && hour !== thisHour()) again();
}

function thisHour() {
  return Math.floor(now() / HOUR);
}

function pick(period) {
  picked = period;
  again();
}

async function again() {
  asking.abort();
  asking = new AbortController();
  try {
    await refreshActivity(asking.signal);
  } catch (error) {
    // The next state of the series, or the next hour, leads to another request.
    if (error.name !== "AbortError" && !isFailure(error)) throw error;
    if (isFailure(error)) notice(byId("activity-note"), `The numbers are missing: ${error.message}.`);
  }
}

function draw(activity, by, words) {
  const total = activity.reduce((sum, { count }) => sum + count, 0);
  const caption = `${total === 1 ? "1 number" : `${total} numbers`} in ${words}`;
  setText(byId("activity-total"), caption);
  byId("activity-chart").replaceChildren(activityChart(activity, by, `${caption}, by ${by}`));
  setText(byId("activity-unit"), by === "day" ? "Day" : "Hour");
  byId("activity-rows").replaceChildren(...activity.map((each) => row(each, by)));
  byId("activity").hidden = false;
}

function row({ start, count }, by) {
  const time = element("th", { scope: "row", textContent: bucketName(start, by) });
  const number = element("td", { className: "number", textContent: String(count) });
  time.setAttribute("role", "rowheader");
  number.setAttribute("role", "cell");
  const tr = element("tr", {}, time, number);
  tr.setAttribute("role", "row");
  return tr;
}

function gap({ activity, since }) {
  if (!since || Date.parse(since) <= Date.parse(activity[0]?.start)) return null;
  return `History goes back to ${exactly(since)}: what was given out before that is not counted.`;
}
