/** The API key and its secret, kept only for this tab, until it is closed or the user signs out. */

const PLACE = "monotron.credentials";

let pair = JSON.parse(stored()?.getItem(PLACE) ?? "null");

/** Return `{key, secret}`, or null. */
export function credentials() {
  return pair;
}

export function keep(key, secret) {
  pair = { key, secret };
  stored()?.setItem(PLACE, JSON.stringify(pair));
}

export function forget() {
  pair = null;
  stored()?.removeItem(PLACE);
}

/** Return the header of HTTP Basic, in UTF-8 (RFC 7617), or null. */
export function authorization() {
  if (!pair) return null;
  const bytes = new TextEncoder().encode(`${pair.key}:${pair.secret}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

// A browser that blocks storage has no session storage: then only the page itself remembers.
function stored() {
  try {
    return sessionStorage;
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}
