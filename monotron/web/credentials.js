/**
 * The API key and its secret. They are kept for this tab until it is closed, or on this machine if the
 * user says so, and in both cases only until the user signs out.
 */

import { machine, tab } from "./storage.js";

const NAME = "credentials";

/** A tab may be signed in differently from the machine. */
let pair = kept(tab) ?? kept(machine);

/** Return `{key, secret}`, or null. */
export function credentials() {
  return pair;
}

/** Keep a pair; return whether it will still be there when the page is loaded again. */
export function keep(key, secret, { onMachine = false } = {}) {
  pair = { key, secret };
  tab.remove(NAME);
  return (onMachine && machine.write(NAME, pair)) || tab.write(NAME, pair);
}

/** Forget the pair in use, which was refused. */
export function drop() {
  const other = kept(machine);
  if (other && other.key === pair?.key && other.secret === pair.secret) machine.remove(NAME);
  tab.remove(NAME);
  pair = null;
}

/** Forget every pair, in this tab and on this machine. */
export function forget() {
  pair = null;
  tab.remove(NAME);
  machine.remove(NAME);
}

/** Call `left` when another tab signs out, if this one's pair is the machine's. */
export function onSignedOutElsewhere(left) {
  machine.onRemoved(NAME, () => {
    if (!pair || kept(tab)) return;
    pair = null;
    left();
  });
}

/** Return the header of HTTP Basic, in UTF-8 (RFC 7617), or null. */
export function authorization() {
  if (!pair) return null;
  const bytes = new TextEncoder().encode(`${pair.key}:${pair.secret}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

function kept(keeper) {
  const found = keeper.read(NAME);
  return typeof found?.key === "string" && typeof found.secret === "string" ? found : null;
}
