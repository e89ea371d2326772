/** The view that the address's hash names, and addresses below the page's own. */

/** The folder of the page: monotron's own address, with any prefix that a proxy adds. */
export const BASE = new URL("./", document.baseURI);

/**
 * Return the place that a hash names: `{view: "list", prefix, after}`, `{view: "series", key, value}`
 * with the digits of one value or null, `{view: "version", name}`, or `{view: "nowhere"}`.
 */
export function placeOf(hash) {
  const path = hash.replace(/^#/, "");
  if (path === "" || path === "/" || path.startsWith("/?")) {
    const query = new URLSearchParams(path.slice(2));
    return { view: "list", prefix: query.get("prefix") ?? "", after: query.get("after") ?? "" };
  }
  const [, view, name] = /^\/(series|version)\/(.+)$/s.exec(path) ?? [];
  return (view === "series" ? seriesPlace(name) : versionPlace(name)) ?? { view: "nowhere" };
}

export function listHash(prefix, after) {
  const query = new URLSearchParams();
  if (prefix) query.set("prefix", prefix);
  if (after) query.set("after", after);
  const text = query.toString();
  return text ? `#/?${text}` : "#/";
}

export function seriesHash(key, value = null) {
  return `#/series/${encoded(key)}${value === null ? "" : `/${value}`}`;
}

export function versionHash(name) {
  return `#/version/${encoded(name)}`;
}

/** Return whether a URL's host means the machine itself. */
export function loopback(host) {
  return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(host);
}

/** Return a name as a path segment, without characters that are special in a shell or Markdown. */
export function encoded(name) {
  return encodeURIComponent(name).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * Return whether a browser can request a path with this name in it. Browsers remove `.` and `..`
 * from a path, even percent-encoded (https://url.spec.whatwg.org/#double-dot-path-segment).
 */
export function reachable(name) {
  return name !== "." && name !== "..";
}

// A key's own slashes are encoded in the links of this page, but not by everybody who writes an address.
function seriesPlace(path) {
  const [, name, value] = /^(.+?)(?:\/(\d{1,19}))?$/s.exec(path);
  const key = decoded(name);
  return key && { view: "series", key, value: value ?? null };
}

function versionPlace(path) {
  const name = path && decoded(path);
  return name && { view: "version", name };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}
