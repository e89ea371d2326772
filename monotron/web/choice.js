/** A choice of one among a few, as radio buttons: browsers give them their keys and their names. */

import { element } from "./elements.js";

let count = 0;

/**
 * Return an element that offers `options`, each `[value, label]`, and calls `choose` with the value that
 * the user picks.
 */
export function choice(legend, options, chosen, choose) {
  count += 1;
  const group = `choice-${count}`;
  const made = options.map(([value, label]) => {
    const input = element("input", { type: "radio", name: group, value, checked: value === chosen });
    input.addEventListener("change", () => choose(value));
    return element("label", {}, input, element("span", { textContent: label }));
  });
  const title = element("legend", { className: "unseen", textContent: legend });
  return element("fieldset", { className: "choice" }, title, ...made);
}
