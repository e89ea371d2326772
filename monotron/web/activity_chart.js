/** Numbers given out by hour or by day, drawn as bars with axes. */

import { make } from "./svg.js";
import { exactly, minute, monthDay, weekday } from "./times.js";

/** The part of a bucket's width that its bar has. */
const BAR = 0.8;
/** The height of the smallest bar, in percent: one number among thousands can still be seen. */
const LEAST = 1;
const LINES = 4;
const SHORT = new Intl.NumberFormat("en", { notation: "compact" });

/**
 * Return a drawing of `activity`, each `{start, count}`, oldest first. Places are percentages, so that
 * it stretches to the size that the style sheet sets while its text does not.
 */
export function activityChart(activity, by, words) {
  const svg = make("svg", { class: "activity", role: "img", "aria-label": words });
  const most = Math.max(...activity.map(({ count }) => count));
  const step = stepFor(most);
  const top = Math.max(1, Math.ceil(most / step)) * step;
  const width = 100 / activity.length;
  for (let count = 0; count <= top; count += step) svg.append(...level(count, top));
  activity.forEach((each, at) => {
    svg.append(bucket(each, by, at * width, width, top));
    const label = timeLabel(each.start, by, activity.length);
    if (label) svg.append(text("time", by === "day" ? (at + 0.5) * width : at * width, 100, label));
  });
  return svg;
}

/** Return what a bucket covers: "2026-11-23 14:00 GMT+1", or a day of UTC. */
export function bucketName(start, by) {
  return by === "day" ? `${start.slice(0, 10)} UTC` : exactly(start).replace(/:\d\d /, " ");
}

/** Return the least of 1, 2, 5, 10, 20, ... that leads to few enough lines. */
export function stepFor(most) {
  let step = 1;
  for (let at = 0; most / step > LINES; at += 1) step = [1, 2, 5][at % 3] * 10 ** Math.floor(at / 3);
  return step;
}

function level(count, top) {
  const y = 100 - (count / top) * 100;
  const line = make("line", { class: "level", x1: "0", x2: "100%", y1: `${y}%`, y2: `${y}%` });
  return [line, text("count", 0, y, SHORT.format(count))];
}

function bucket({ start, count }, by, x, width, top) {
  const group = make("g", {});
  const title = make("title", {});
  title.textContent = `${bucketName(start, by)}: ${count}`;
  // The title shows wherever the pointer is above or below the bar.
  group.append(title, rect("whole", x, width, 100));
  if (count > 0) {
    const height = Math.max(LEAST, (count / top) * 100);
    group.append(rect("bar", x + (width * (1 - BAR)) / 2, width * BAR, height));
  }
  return group;
}

function rect(name, x, width, height) {
  return make("rect", {
    class: name,
    x: `${x}%`,
    width: `${width}%`,
    y: `${100 - height}%`,
    height: `${height}%`,
  });
}

function text(name, x, y, content) {
  const made = make("text", { class: name, x: `${x}%`, y: `${y}%` });
  made.textContent = content;
  return made;
}

/** Return the label below a bucket, or null: few enough are labelled to be read on a phone. */
function timeLabel(start, by, count) {
  const at = new Date(start);
  if (by === "day") {
    if (count <= 7) return weekday(at, "UTC");
    return at.getUTCDay() === 1 ? monthDay(at, "UTC") : null;
  }
  if (count <= 24) return at.getHours() % 6 === 0 ? minute(at) : null;
  return at.getHours() === 0 ? weekday(at) : null;
}
