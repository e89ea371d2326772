/** The OpenAPI document that is shown, and what its parts mean. */

const METHODS = ["get", "put", "post", "patch", "delete"];

let described = null;

/** Read the parts of this document from now on; null for none. */
export function describe(body) {
  described = body;
}

/** Return each call: `{path, method, operation, parameters}`. */
export function operations() {
  return Object.entries(described.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({
      path,
      method: method.toUpperCase(),
      operation: item[method],
      parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map(resolved),
    })),
  );
}

/** Follow a reference within the document, such as `#/components/schemas/Series`. */
export function resolved(part) {
  if (!part?.$ref) return part;
  const steps = part.$ref.split("/").slice(1);
  const name = (step) => decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
  return resolved(steps.reduce((found, step) => found?.[name(step)], described)) ?? {};
}

/** Return the members of an object, or of the objects in an array. */
export function membersOf(schema) {
  if (!schema) return {};
  if (schema.properties) return schema.properties;
  const inner = [schema.items, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].filter(Boolean);
  return Object.assign({}, ...inner.map((each) => resolved(each).properties ?? {}));
}

/** Return what a value may be, as words: "integer, 1 to 1000". */
export function typeOf(schema) {
  const found = resolved(schema) ?? {};
  const choices = found.anyOf ?? found.oneOf;
  if (choices) return [...new Set(choices.map(typeOf))].join(" or ");
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.enum) return found.enum.map((each) => JSON.stringify(each)).join(", ");
  if (found.items) return `array of ${typeOf(found.items)}`;
  const type = [found.type ?? "anything"].flat().join(" or ");
  return found.minimum === undefined || found.maximum === undefined
    ? type
    : `${type}, ${found.minimum} to ${found.maximum}`;
}

/** Return an example of a parameter or a body, or undefined. */
export function exampleOf(part) {
  const found = part ?? {};
  const [first] = Object.values(found.examples ?? {});
  const schema = resolved(found.schema) ?? {};
  return found.example ?? first?.value ?? schema.example ?? schema.examples?.[0];
}
