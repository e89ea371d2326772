/** Signing in with an API key, and out again. */

import { credentials, forget, keep } from "./credentials.js";
import { byId, notice, setText } from "./elements.js";

export const signInSection = byId("sign-in");

/** As the command line prints a new one: both parts, with a colon between. */
const BOTH = /^([A-Za-z0-9]+):(.+)$/;

/** Ask for a key and its secret; `error` says why those that there were do not do. */
export function askToSignIn(error) {
  const had = credentials();
  forget();
  showCaller();
  byId("secret").value = "";
  setText(byId("wrong"), had ? reason(error) : "");
  byId(byId("key").value ? "secret" : "key").focus();
}

/** Call `retry` when the user has signed in, and `left` when he has signed out. */
export function onSignIn(retry, left) {
  const key = byId("key");
  const secret = byId("secret");
  key.addEventListener("input", () => {
    const both = BOTH.exec(key.value.trim());
    if (both) [, key.value, secret.value] = both;
  });
  byId("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    keep(key.value.trim(), secret.value);
    retry();
  });
  byId("sign-out").addEventListener("click", () => {
    forget();
    key.value = secret.value = "";
    showCaller();
    left();
  });
}

/** Say who is signed in. */
export function showCaller() {
  const known = credentials();
  byId("caller").hidden = !known;
  setText(byId("caller-key"), known?.key ?? "");
}

function reason({ status, message }) {
  if (status === 403) return `This API key may not look at series: ${message}.`;
  return `This was not accepted: ${message}.`;
}
