/** Values over time, drawn as steps: a series stays at a value until the next one is taken. */

import { above } from "./numbers.js";
import { span } from "./times.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 100;

/**
 * Return a drawing of `recent`, newest values first, each `{value, created_at}`. It stretches to the
 * size that the style sheet sets.
 */
export function chart(recent) {
  const svg = make("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": inWords(recent),
  });
  if (recent.length === 0) return svg;
  const points = places([...recent].reverse());
  const [first] = points;
  const last = points.at(-1);
  const steps = points
    .slice(1)
    .map(({ x, y }) => `H${x}V${y}`)
    .join("");
  const line = `M${first.x} ${first.y}${steps}`;
  svg.append(
    make("path", { class: "under", d: `${line}V${HEIGHT}H${first.x}Z` }),
    make("path", { class: "line", d: line }),
    // A line of zero length with round ends is a dot that stays round, however the rest stretches.
    make("path", { class: "dot", d: `M${last.x} ${last.y}h0` }),
  );
  return svg;
}

/** Return the drawing in words: "41 to 60 in 3 days". */
export function inWords(recent) {
  if (recent.length === 0) return "no values in the history";
  const [newest] = recent;
  const oldest = recent.at(-1);
  if (recent.length === 1) return `one value, ${newest.value}`;
  const took = Date.parse(newest.created_at) - Date.parse(oldest.created_at);
  return `${oldest.value} to ${newest.value} in ${took < 1000 ? "less than 1 s" : span(took)}`;
}

function places(points) {
  const [first] = points;
  const last = points.at(-1);
  const start = Date.parse(first.created_at);
  const lasted = Date.parse(last.created_at) - start;
  const rose = above(first.value, last.value);
  return points.map(({ value, created_at }) => ({
    x: round(lasted > 0 ? ((Date.parse(created_at) - start) / lasted) * WIDTH : WIDTH / 2),
    y: round(rose > 0 ? HEIGHT - (above(first.value, value) / rose) * HEIGHT : HEIGHT / 2),
  }));
}

function round(place) {
  return Math.round(place * 10) / 10;
}

function make(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}
