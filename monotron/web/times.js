/** Times: relative, exact, and spans of time. */

import { element, setText } from "./elements.js";

/** Each unit: the seconds from which it is used, its length in seconds, and its two names. */
const UNITS = [
  [2 * 365 * 86_400, 365 * 86_400, "year", "years"],
  [60 * 86_400, 30 * 86_400, "month", "months"],
  [86_400, 86_400, "day", "days"],
  [3_600, 3_600, "hour", "hours"],
  [60, 60, "min", "min"],
  [0, 1, "s", "s"],
];

const LOCAL = new Intl.DateTimeFormat("en", {
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
  timeZoneName: "short",
});

/** How many ms the service's clock is ahead of the browser's. */
let ahead = 0;

/** Follow the service's clock; `date` is an answer's Date header. */
export function setClock(date) {
  const sent = Date.parse(date ?? "");
  if (Number.isNaN(sent)) return;
  // Date has whole seconds, and the answer took some time: a smaller difference means nothing.
  const difference = sent - Date.now();
  if (Math.abs(difference - ahead) > 2000) ahead = difference;
}

/** Return the service's time, in ms since 1970. */
export function now() {
  return Date.now() + ahead;
}

/** Show in `place` when something happened: how long ago in its `<time>`, the exact time beside it. */
export function showTime(place, moment) {
  const time = place.querySelector("time");
  if (time.dateTime === moment) return;
  time.dateTime = moment;
  setText(place.querySelector(".exact"), exactly(moment));
  tell(time);
}

/** Show the same in a `place` that is empty at first. */
export function putTime(place, moment) {
  if (place.children.length === 0) {
    const exact = element("span", { className: "exact" });
    place.append(element("time", { className: "ago" }), " ", exact);
  }
  showTime(place, moment);
}

/** Keep each `<time class="ago">` of the page up to date. */
export function keepTime() {
  const each = () => document.querySelectorAll("time.ago[datetime]").forEach(tell);
  setInterval(each, 1000);
}

/** Return the exact local time, to the second: "2026-11-23 14:03:12 GMT+1". */
export function exactly(moment) {
  const parts = Object.fromEntries(
    LOCAL.formatToParts(new Date(moment)).map(({ type, value }) => [type, value]),
  );
  const { year, month, day, hour, minute, second, timeZoneName } = parts;
  return `${year}-${month}-${day} ${hour}:${minute}:${second} ${timeZoneName}`;
}

/** Return the local hour and minute: "14:03". */
export function minute(date) {
  return exactly(date).slice(11, 16);
}

/** Return the day of the week: "Mon"; the local one, unless there is a time zone. */
export function weekday(date, timeZone) {
  return date.toLocaleDateString("en", { weekday: "short", timeZone });
}

/** Return the day of the year: "Nov 23". */
export function monthDay(date, timeZone) {
  return date.toLocaleDateString("en", { month: "short", day: "numeric", timeZone });
}

/** Return a span of time in the unit that fits it, rounded down: "3 days". */
function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [, length, one, many] = UNITS.find(([from]) => seconds >= from);
  const count = Math.floor(seconds / length);
  return `${count} ${count === 1 ? one : many}`;
}

function tell(time) {
  setText(time, ago(now() - Date.parse(time.dateTime)));
}

function ago(milliseconds) {
  if (milliseconds < 10_000) return "just now";
  // Seconds in steps of ten: nobody wants to watch them count.
  const rounded = milliseconds < 60_000 ? Math.floor(milliseconds / 10_000) * 10_000 : milliseconds;
  return `${span(rounded)} ago`;
}
