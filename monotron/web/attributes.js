/** A token with what is noted of it. */

import { encoded, reachable } from "./address.js";
import { isAttributes } from "./answers.js";
import { get, isFailure } from "./api.js";
import { element, named, showMarked, visible, visibleText } from "./elements.js";

const LINK = /^https?:\/\/\S+$/i;
/** The attribute that says where the build is. */
const BUILD = "build_url";

/**
 * Return an element that shows a token of a series; an empty text if the token is null. `attributes`
 * are those of the list that the token is from, which leaves out long ones; undefined if there are none.
 */
export function tokenWithAttributes(key, token, attributes) {
  if (token === null) return "";
  const shown = element("div", { className: "named" }, named(token));
  if (attributes === undefined) return shown;
  const build = buildLink(attributes);
  if (build !== null) shown.append(element("div", { className: "build" }, build));
  const content = element("div", { className: "attributes" });
  const summary = element("summary", { textContent: "Attributes" });
  summary.setAttribute("aria-label", `Attributes of ${visible(token)}`);
  const details = element("details", {}, summary, content);
  details.addEventListener("toggle", () => {
    if (details.open) fill(content, key, token);
  });
  shown.append(details);
  return shown;
}

/** Request all attributes of a token of a series; return an element that shows them. */
export async function attributesOf(key, token, signal = null) {
  if (!reachable(key) || !reachable(token)) {
    return "A browser cannot request them: it removes . and .. from a path.";
  }
  const path = `v1/tokens/${encoded(key)}/${encoded(token)}/attrs`;
  const { body } = await get(path, { signal, holds: isAttributes });
  return list(Object.entries(body));
}

async function fill(content, key, token) {
  try {
    content.replaceChildren(await attributesOf(key, token));
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
      element("div", {}, element("dt", {}, named(name)), element("dd", {}, asLink(text))),
    ),
  );
}

/** Return a link to the build, or to the first URL among the attributes; null if there is none. */
function buildLink(attributes) {
  const texts = [attributes[BUILD] ?? "", ...Object.values(attributes)];
  const text = texts.find(isLink);
  return text === undefined ? null : asLink(text);
}

function asLink(text) {
  const shown = isLink(text)
    ? element("a", { href: text, rel: "noreferrer noopener" })
    : element("bdi");
  showMarked(shown, visibleText(text));
  return shown;
}

// Nothing else can be opened by a click: a javascript: address would run in this page.
function isLink(text) {
  return LINK.test(text) && URL.canParse(text);
}
