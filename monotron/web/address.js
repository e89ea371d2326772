/** What the page shows, as the address's hash holds it, and the addresses below the page's own. */

/** The folder of the page: monotron's own address, with the prefix that a proxy has given it. */
export const BASE = new URL("./", document.baseURI);

/**
 * Give the place that a hash names: `{view: "list", prefix, after}`, `{view: "series", key}`, or
 * `{view: "nowhere"}`.
 */
export function placeOf(hash) {
  const path = hash.replace(/^#/, "");
  if (path === "" || path === "/" || path.startsWith("/?")) {
    const query = new URLSearchParams(path.slice(2));
    return { view: "list", prefix: query.get("prefix") ?? "", after: query.get("after") ?? "" };
  }
  const key = path.startsWith("/series/") ? decoded(path.slice("/series/".length)) : null;
  return key ? { view: "series", key } : { view: "nowhere" };
}

export function listHash(prefix, after) {
  const query = new URLSearchParams();
  if (prefix) query.set("prefix", prefix);
  if (after) query.set("after", after);
  const text = query.toString();
  return text ? `#/?${text}` : "#/";
}

export function seriesHash(key) {
  return `#/series/${encoded(key)}`;
}

/** Tell whether a host, as URLs have it, is each machine itself. */
export function loopback(host) {
  return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(host);
}

/** Give a name as a part of a path, with nothing in it that a shell or Markdown would take. */
export function encoded(name) {
  return encodeURIComponent(name).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * Tell whether a browser can ask for a path with this name in it. It takes `.` and `..` for steps
 * in the path, percent-encoded too (https://url.spec.whatwg.org/#double-dot-path-segment).
 */
export function reachable(name) {
  return name !== "." && name !== "..";
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}
