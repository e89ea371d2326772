/** One call of the API, with all that is said of it. */

import { BASE } from "./address.js";
import { command } from "./commands.js";
import { credentials } from "./credentials.js";
import { exampleOf, membersOf, resolved, typeOf } from "./description.js";
import { element } from "./elements.js";
import { prose } from "./prose.js";
import { shell } from "./quoting.js";

/** Return its parameters, its body and its answers, and a line that makes it. */
export function callInDetail({ method, path, operation, parameters }) {
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

function asText(value, indent = 2) {
  return typeof value === "string" ? value : JSON.stringify(value, null, indent);
}
