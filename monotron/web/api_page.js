/** The API page: every call as `openapi.json` describes it, by tag, and a filter. */

import { isDescription } from "./answers.js";
import { callInDetail } from "./api_call.js";
import { credentials } from "./credentials.js";
import { describe, operations } from "./description.js";
import { arrange, byId, element, notice, say, setText } from "./elements.js";
import { poll } from "./poll.js";
import { prose, withCode } from "./prose.js";

/** The document that is shown, as text, or null. */
let described = null;
/** Each call shown: `{text, details}`; the text is what the filter looks in. */
let calls = [];

export const apiPage = {
  section: byId("api"),

  /** Show it; the document is asked for until it has come once. */
  open(place, page) {
    if (described) page.ready();
    const stop = poll("openapi.json", isDescription, {
      ...page,
      answered(body) {
        if (JSON.stringify(body) !== described) show(body);
        page.ready();
        page.fine();
        stop();
      },
      troubled(error) {
        page.troubled(error);
        page.ready();
      },
      impossible(error) {
        notice(byId("api-notice"), `The description of the API cannot be shown: ${error.message}.`);
        page.ready();
        page.fine();
      },
    });
    return stop;
  },

  /** Forget what was shown. */
  clear() {
    described = null;
    describe(null);
    calls = [];
    arrange(byId("api-tags"), []);
    byId("api-search").hidden = true;
    byId("api-filter").value = "";
    notice(byId("api-notice"), null);
  },
};

/** Make the filter work. */
export function onApiFilter() {
  byId("api-filter").addEventListener("input", filter);
  byId("api-search").addEventListener("submit", (event) => event.preventDefault());
}

function show(body) {
  described = JSON.stringify(body);
  describe(body);
  calls = [];
  setText(byId("api-version"), `Version ${body.info.version}`);
  // A browser that follows this link sends no key, and would ask for one in its own dialog.
  byId("api-document").hidden = credentials() !== null;
  byId("api-about").replaceChildren(...prose(body.info.description ?? ""));
  arrange(byId("api-tags"), body.tags.map(tagged).filter((each) => each !== null));
  notice(byId("api-notice"), null);
  byId("api-search").hidden = false;
  filter();
}

function tagged({ name, description }) {
  const own = operations().filter(({ operation }) => operation.tags?.includes(name));
  if (own.length === 0) return null;
  return element(
    "section",
    {},
    element("h3", { textContent: name }),
    ...prose(description ?? ""),
    ...own.map(callOf),
  );
}

/** Return one call, whose details are made when it is opened: there are many. */
function callOf(call) {
  const { method, path, operation } = call;
  const summary = element(
    "summary",
    {},
    element("code", { className: "method", textContent: method }),
    " ",
    element("code", { textContent: path }),
    " ",
    element("span", { className: "quiet" }, ...withCode(operation.summary ?? "")),
  );
  const details = element("details", { className: "call" }, summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(callInDetail(call));
  });
  const text = `${method} ${path} ${operation.summary ?? ""} ${operation.operationId ?? ""}`;
  calls.push({ text: text.toLowerCase(), details });
  return details;
}

function filter() {
  const words = byId("api-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { text, details } of calls) {
    details.hidden = !words.every((word) => text.includes(word));
    if (!details.hidden) found += 1;
  }
  for (const section of byId("api-tags").children) {
    section.hidden = !section.querySelector("details.call:not([hidden])");
  }
  const count = `${found} ${found === 1 ? "call" : "calls"}`;
  setText(byId("api-count"), count);
  if (words.length > 0) say(count);
}
