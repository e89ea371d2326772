/** Numbers per hour, drawn as small bars, one beside the other. */

import { make } from "./svg.js";
import { minute, now } from "./times.js";

const HEIGHT = 20;
const HOUR = 3_600_000;
/** The count that a full bar stands for at least: a single number is not to look like a rush. */
const LEAST = 5;
/** The height of the smallest bar, and of the line below all of them. */
const SEEN = 2;
const LINE = 0.6;

/**
 * Return a drawing of `counts`, one for each hour, the current one last. It stretches to the size that
 * the style sheet sets.
 */
export function bars(counts) {
  const svg = make("svg", {
    class: "bars",
    viewBox: `0 0 ${counts.length} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": inWords(counts),
  });
  svg.append(bar("base", { x: 0, y: HEIGHT - LINE, width: counts.length, height: LINE }));
  const full = Math.max(LEAST, ...counts);
  counts.forEach((count, hour) => {
    if (count === 0) return;
    const height = Math.max(SEEN, Math.round((count / full) * HEIGHT * 10) / 10);
    // The current hour is not over.
    const name = hour === counts.length - 1 ? "now" : "hour";
    svg.append(bar(name, { x: hour + 0.12, y: HEIGHT - height, width: 0.76, height }));
  });
  return svg;
}

/** Return how many numbers these are together. */
export function total(counts) {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Return the drawing in words: "31 numbers in 24 hours, most at 14:00: 9". */
function inWords(counts) {
  const sum = total(counts);
  if (sum === 0) return `no numbers in ${counts.length} hours`;
  const most = Math.max(...counts);
  const back = counts.length - 1 - counts.lastIndexOf(most);
  const at = new Date((Math.floor(now() / HOUR) - back) * HOUR);
  const numbers = sum === 1 ? "1 number" : `${sum} numbers`;
  return `${numbers} in ${counts.length} hours, most at ${minute(at)}: ${most}`;
}

function bar(name, place) {
  return make("rect", { class: name, ...place });
}
