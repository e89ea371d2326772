/** The API page: every call as `openapi.json` describes it, by tag, and a filter. */

import { BASE } from "./address.js";
import { isDescription } from "./answers.js";
import { command, shell } from "./commands.js";
import { credentials } from "./credentials.js";
import { arrange, byId, element, notice, say, setText } from "./elements.js";
import { written } from "./numbers.js";
import { poll } from "./poll.js";

const METHODS = ["get", "put", "post", "patch", "delete"];

/** The document that is shown, or null. */
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
        if (JSON.stringify(body) !== JSON.stringify(described)) show(body);
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

function show(document) {
  described = document;
  calls = [];
  setText(byId("api-version"), `Version ${document.info.version}`);
  // A browser that follows this link sends no key, and would ask for one in its own dialog.
  byId("api-document").hidden = credentials() !== null;
  byId("api-about").replaceChildren(...prose(document.info.description ?? ""));
  arrange(byId("api-tags"), document.tags.map(tagged).filter((each) => each !== null));
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

function operations() {
  return Object.entries(described.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({
      path,
      method: method.toUpperCase(),
      operation: item[method],
      parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map(resolved),
    })),
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
    element("span", { className: "quiet", textContent: operation.summary ?? "" }),
  );
  const details = element("details", { className: "call" }, summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(inDetail(call));
  });
  const text = `${method} ${path} ${operation.summary ?? ""} ${operation.operationId ?? ""}`;
  calls.push({ text: text.toLowerCase(), details });
  return details;
}

function inDetail({ method, path, operation, parameters }) {
  const body = resolved(operation.requestBody);
  return element(
    "div",
    { className: "inside" },
    ...prose(operation.description ?? ""),
    command("From a shell", curl(method, path, parameters, body)),
    ...(parameters.length > 0 ? [title("Parameters"), listOf(parameters.map(parameterOf))] : []),
    ...(body ? [title("Body"), ...contentOf(body.content)] : []),
    title("Answers"),
    ...Object.entries(operation.responses ?? {}).map(answerOf),
  );
}

function title(text) {
  return element("h4", { textContent: text });
}

function listOf(entries) {
  return element("dl", {}, ...entries);
}

function parameterOf(parameter) {
  const { name, in: where, required, description, schema } = parameter;
  const kind = [`in ${where}`, required ? "required" : "", typeOf(schema)];
  return element(
    "div",
    {},
    element("dt", {}, element("code", { textContent: name })),
    element(
      "dd",
      {},
      element("span", { className: "quiet", textContent: kind.filter(Boolean).join(", ") }),
      ...prose(description ?? ""),
    ),
  );
}

function answerOf([status, response]) {
  const { description, content } = resolved(response);
  const heading = element(
    "summary",
    {},
    element("code", { textContent: status }),
    ` ${description ?? ""}`,
  );
  const parts = contentOf(content ?? {});
  if (parts.length === 0) return element("p", { className: "answer" }, ...heading.childNodes);
  // The answers that people look for first stand open.
  return element("details", { className: "answer", open: status < "300" }, heading, ...parts);
}

function contentOf(content) {
  return Object.entries(content).flatMap(([type, { schema, example, examples }]) => {
    const named = example === undefined ? Object.values(examples ?? {}) : [{ value: example }];
    const members = Object.entries(membersOf(resolved(schema)));
    return [
      element("p", { className: "quiet", textContent: type }),
      ...(members.length > 0 ? [listOf(members.map(memberOf))] : []),
      ...named.map(({ value }) =>
        element("pre", { tabIndex: 0 }, element("code", { textContent: asText(value) })),
      ),
    ];
  });
}

function memberOf([name, schema]) {
  const { description } = resolved(schema);
  return element(
    "div",
    {},
    element("dt", {}, element("code", { textContent: name })),
    element(
      "dd",
      {},
      element("span", { className: "quiet", textContent: typeOf(schema) }),
      ...prose(description ?? schema.description ?? ""),
    ),
  );
}

/** Return the members of an object, or of the objects in an array. */
function membersOf(schema) {
  if (!schema) return {};
  if (schema.properties) return schema.properties;
  const inner = [schema.items, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].filter(Boolean);
  return Object.assign({}, ...inner.map((each) => resolved(each).properties ?? {}));
}

/** Return what a value may be, as words: "integer, 1 to 1000". */
function typeOf(schema) {
  const found = resolved(schema) ?? {};
  const choices = found.anyOf ?? found.oneOf;
  if (choices) return [...new Set(choices.map(typeOf))].join(" or ");
  if (found.const !== undefined) return written(found.const);
  if (found.enum) return found.enum.map((each) => written(each)).join(", ");
  if (found.items) return `array of ${typeOf(found.items)}`;
  const type = [found.type ?? "anything"].flat().join(" or ");
  return found.minimum === undefined || found.maximum === undefined
    ? type
    : `${type}, ${found.minimum} to ${found.maximum}`;
}

/** Follow a reference within the document, such as `#/components/schemas/Series`. */
function resolved(part) {
  if (!part?.$ref) return part;
  const steps = part.$ref.split("/").slice(1);
  const name = (step) => decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
  return resolved(steps.reduce((found, step) => found?.[name(step)], described)) ?? {};
}

function curl(method, path, parameters, body) {
  const filled = path.replace(/{(\w+)}/g, (whole, name) => {
    const parameter = parameters.find((each) => each.in === "path" && each.name === name);
    const example = exampleOf(parameter);
    return example === undefined ? whole : encodeURIComponent(example);
  });
  const words = ["curl", "-fsS"];
  if (method !== "GET") words.push("-X", method);
  if (credentials() !== null) words.push("-u", '"$MONOTRON_KEY"');
  const [first] = Object.values(body?.content ?? {});
  const sent = first && exampleOf(first);
  if (body?.required && sent !== undefined) words.push("-d", shell(asText(sent, 0)));
  return [...words, shell(`${BASE}${filled.slice(1)}`)].join(" ");
}

function exampleOf(part) {
  const found = part ?? {};
  const [first] = Object.values(found.examples ?? {});
  const schema = resolved(found.schema) ?? {};
  return found.example ?? first?.value ?? schema.example ?? schema.examples?.[0];
}

function asText(value, indent = 2) {
  return typeof value === "string" ? value : written(value, indent);
}

/** Return a text in Markdown's simplest form as elements: paragraphs, lists, and code. */
function prose(text) {
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

function withCode(text) {
  return text
    .trim()
    .split(/`([^`]+)`/)
    .map((part, place) => (place % 2 ? element("code", { textContent: part }) : part));
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
