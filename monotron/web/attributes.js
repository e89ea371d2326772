/** A token with its attributes, which are requested when they are opened. */

import { encoded, reachable } from "./address.js";
import { isAttributes } from "./answers.js";
import { get, isFailure } from "./api.js";
import { element, named, showMarked, visible, visibleText } from "./elements.js";

const LINK = /^https?:\/\/\S+$/i;

/** Return an element that shows a token of a series; an empty text if the token is null. */
export function tokenWithAttributes(key, token) {
  if (token === null) return "";
  const name = named(token);
  const content = element("div", { className: "attributes" });
  const summary = element("summary", { textContent: "Attributes" });
  summary.setAttribute("aria-label", `Attributes of ${visible(token)}`);
  const details = element("details", {}, summary, content);
  details.addEventListener("toggle", () => {
    if (details.open) fill(content, key, token);
  });
  return element("div", { className: "named" }, name, details);
}

async function fill(content, key, token) {
  if (!reachable(key) || !reachable(token)) {
    content.textContent = "A browser cannot request them: it removes . and .. from a path.";
    return;
  }
  try {
    const path = `v1/tokens/${encoded(key)}/${encoded(token)}/attrs`;
    const { body } = await get(path, { holds: isAttributes });
    content.replaceChildren(list(Object.entries(body)));
  } catch (error) {
    if (!isFailure(error)) throw error;
    content.textContent = `${error.message}. Close and open this to try again.`;
  }
}

function list(attributes) {
  if (attributes.length === 0) return element("p", { className: "quiet", textContent: "None." });
  return element(
    "dl",
    {},
    ...attributes.map(([name, text]) =>
      element(
        "div",
        {},
        element("dt", {}, named(name)),
        element("dd", {}, asLink(text)),
      ),
    ),
  );
}

function asLink(text) {
  const link = LINK.test(text) && URL.canParse(text);
  const shown = link ? element("a", { href: text, rel: "noreferrer noopener" }) : element("bdi");
  showMarked(shown, visibleText(text));
  return shown;
}
