/** Prose of a document that was written for people. */

import { element } from "./elements.js";

/** Return a text in Markdown's simplest form as elements: paragraphs, lists, and code. */
export function prose(text) {
  return text
    .split(/\n\s*\n/)
    .filter((each) => each.trim())
    .map((block) => {
      const items = block.split(/^- /m).filter((each) => each.trim());
      return block.startsWith("- ")
        ? element("ul", {}, ...items.map((item) => element("li", {}, ...withCode(item))))
        : element("p", {}, ...withCode(block));
    });
}

/** Return a text on one line as text and code. */
export function withCode(text) {
  return text
    .trim()
    .split(/`([^`]+)`/)
    .map((part, place) => (place % 2 ? element("code", { textContent: part }) : part));
}
