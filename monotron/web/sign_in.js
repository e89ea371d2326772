/** Signing in with an API key, and signing out. */

import { chooseAccount } from "./account.js";
import { BASE, pairInAddress } from "./address.js";
import { credentials, drop, forget, keep, onSignedOutElsewhere } from "./credentials.js";
import { byId, setText } from "./elements.js";

export const signInSection = byId("sign-in");

/** A key and its secret with a colon between them, as the command line prints a new one. */
const BOTH = /^([A-Za-z0-9]+):(.+)$/;

/** Ask for a key and its secret; `error` says why the previous ones were refused. */
export function askToSignIn(error) {
  const had = credentials();
  drop();
  showCaller();
  byId("secret").value = "";
  setText(byId("wrong"), had ? reason(error) : "");
  byId(byId("key").value ? "secret" : "key").focus();
}

/** Call `retry` when the user has signed in, and `left` after signing out. */
export function onSignIn(retry, left) {
  const key = byId("key");
  const secret = byId("secret");
  key.addEventListener("input", () => {
    const both = BOTH.exec(key.value.trim());
    if (both) [, key.value, secret.value] = both;
  });
  byId("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    keep(key.value.trim(), secret.value, { onMachine: byId("stay").checked });
    retry();
  });
  const leave = () => {
    key.value = secret.value = "";
    byId("stay").checked = false;
    chooseAccount(null);
    showCaller();
    left();
  };
  byId("sign-out").addEventListener("click", () => {
    forget();
    leave();
  });
  onSignedOutElsewhere(leave);
}

/**
 * Sign in with the pair in the page's own address, and take it out of there; return whether the page
 * is about to be loaded again for that. It cannot be taken out otherwise: a page cannot change these
 * parts of its address.
 */
export function signInFromAddress() {
  const pair = pairInAddress();
  if (!pair) return false;
  const kept = keep(pair.key, pair.secret);
  // If nothing can be kept, this page goes on with what it has.
  if (kept) location.replace(new URL(location.search + location.hash, BASE));
  return kept;
}

/** Show the API key that is signed in. */
export function showCaller() {
  const known = credentials();
  byId("caller").hidden = !known;
  setText(byId("caller-key"), known?.key ?? "");
}

function reason({ status, message }) {
  if (status === 403) return `This API key may not read series: ${message}.`;
  return `This was not accepted: ${message}.`;
}
