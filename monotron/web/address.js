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

/**
 * Return the place that a hash names: `{view: "list", prefix, after}`, `{view: "series", key}`,
 * `{view: "wall", prefix}`, `{view: "api"}`, or `{view: "nowhere"}`.
 */
export function placeOf(hash) {
  const path = hash.replace(/^#/, "");
  if (path === "" || path === "/" || path.startsWith("/?")) {
    const query = new URLSearchParams(path.slice(2));
    return { view: "list", prefix: query.get("prefix") ?? "", after: query.get("after") ?? "" };
  }
  if (path === "/wall" || path.startsWith("/wall?")) {
    const query = new URLSearchParams(path.slice("/wall?".length));
    return { view: "wall", prefix: query.get("prefix") ?? "" };
  }
  if (path === "/api") return { view: "api" };
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
