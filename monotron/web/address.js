/** The view that the address's hash names, and addresses below the page's own. */

/**
 * The folder of the page: monotron's own address, with any prefix that a proxy adds. It has no key and
 * secret in it, even if the page's address has: a browser refuses to fetch from such a URL.
 */
export const BASE = new URL("./", document.baseURI);
BASE.username = BASE.password = "";

/** Return the `{key, secret}` before the host in the page's own address, `KEY:SECRET@`, or null. */
export function pairInAddress() {
  // Not location, which browsers show without them.
  const { username, password } = new URL(document.URL);
  return username && password ? { key: asTyped(username), secret: asTyped(password) } : null;
}

/** What the list can be sorted by, and how far back a change may lie; the first is not in the hash. */
const ORDERS = ["changed", "key", "value"];
const SPANS = ["", "hour", "day", "week"];

/**
 * Return the place that a hash names: `{view: "list", find, prefix, sort, since, after, page}`,
 * `{view: "series", key, value}` with the digits of one value or null, `{view: "version", name}`,
 * `{view: "wall", prefix}`, `{view: "api"}`, or `{view: "nowhere"}`.
 */
export function placeOf(hash) {
  const path = hash.replace(/^#/, "");
  if (path === "" || path === "/" || path.startsWith("/?")) {
    return listOf(new URLSearchParams(path.slice(2)));
  }
  if (path === "/wall" || path.startsWith("/wall?")) {
    const query = new URLSearchParams(path.slice("/wall?".length));
    return { view: "wall", prefix: query.get("prefix") ?? "" };
  }
  if (path === "/api") return { view: "api" };
  const [, view, name] = /^\/(series|version)\/(.+)$/s.exec(path) ?? [];
  return (view === "series" ? seriesPlace(name) : versionPlace(name)) ?? { view: "nowhere" };
}

/** Return the hash of a list; what is not given is as in the list that opens first. */
export function listHash({ find, prefix, sort, since, after, page }) {
  const query = new URLSearchParams();
  if (find) query.set("find", find);
  if (prefix) query.set("prefix", prefix);
  if (sort && sort !== ORDERS[0]) query.set("sort", sort);
  if (since) query.set("since", since);
  if (after) query.set("after", after);
  if (after && page > 1) query.set("page", page);
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

function listOf(query) {
  const after = query.get("after") ?? "";
  // Only lists by key had addresses without an order once: theirs go on after a key.
  const usual = after && !/^\d{16}\//.test(after) ? "key" : ORDERS[0];
  return {
    view: "list",
    find: query.get("find") ?? "",
    prefix: query.get("prefix") ?? "",
    sort: oneOf(ORDERS, query.get("sort"), usual),
    since: oneOf(SPANS, query.get("since"), SPANS[0]),
    after,
    page: after ? Number(/^[1-9]\d{0,8}$/.exec(query.get("page") ?? "")?.[0] ?? 0) : 1,
  };
}

function oneOf(every, text, usual) {
  return every.includes(text) ? text : usual;
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

// Whoever typed the address may have left a % in the secret as it is.
function asTyped(text) {
  return decoded(text.replace(/%(?![0-9a-f]{2})/gi, "%25")) ?? text;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}
