/** Lines ready to be copied, each quoted for the program that it is pasted into. */

import { accountPath } from "./account.js";
import { encoded, reachable } from "./address.js";
import { fromTemplate, say, setText, visible } from "./elements.js";
import { shell } from "./quoting.js";

const FIRST_ACCOUNT = 1;
const COPIED = 2000;

export function nextNumber(base, key, authentication = false) {
  return curl("POST", base, seriesPath(key), { authentication, key });
}

/** Return a call of curl. `key` is the name that ends its path. */
export function curl(method, base, path, { authentication = false, key = "" }) {
  const words = ["curl", "-fsS", "-X", method, "-H", shell("Accept: text/plain")];
  // Like browsers, curl would leave such a segment out of the path.
  if (!reachable(key)) words.push("--path-as-is");
  if (authentication) words.push("-u", '"$MONOTRON_KEY"');
  // Not through URL, which removes `.` and `..`.
  return [...words, shell(`${base}${accountPath(path)}`)].join(" ");
}

export function seriesPath(key) {
  return `v1/series/${encoded(key)}`;
}

/** Return a badge in Markdown, as a link to the page of what it shows. */
export function badgeMarkdown(base, name, path, hash) {
  const text = visible(name).replace(/[\\`*_[\]<>&!|~]/g, "\\$&");
  return `[![${text}](${new URL(path, base)})](${new URL(hash, base)})`;
}

/**
 * Return the path of a badge. A reader without credentials sees those of the first account, so that of
 * another account must name it.
 */
export function badgePath(key, account = FIRST_ACCOUNT) {
  return `v1/${ownedBy(account)}badges/${encoded(key)}.svg`;
}

export function versionBadgePath(name, account = FIRST_ACCOUNT) {
  return `v1/${ownedBy(account)}semver/${encoded(name)}/badge.svg`;
}

/** Return an element that shows one line, with a button that copies it. */
export function command(title, text) {
  const made = fromTemplate("command");
  const [heading, pre, button] = made.children;
  setText(heading, title);
  button.setAttribute("aria-label", `Copy: ${title}`);
  setText(pre.firstElementChild, text);
  button.addEventListener("click", () => copy(pre.firstElementChild, button));
  return made;
}

function ownedBy(account) {
  return account === FIRST_ACCOUNT ? "" : `accounts/${account}/`;
}

// Browsers offer the clipboard only over HTTPS and on the machine itself; otherwise the user copies.
async function copy(code, button) {
  if (await toClipboard(code.textContent)) {
    flash(button, "Copied");
    return;
  }
  getSelection().selectAllChildren(code);
  flash(button, "Selected");
}

async function toClipboard(text) {
  if (!navigator.clipboard) return false;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) {
    if (error instanceof DOMException) return false;
    throw error;
  }
}

function flash(button, text) {
  setText(button, text);
  say(text === "Selected" ? "Selected: copy it with your keyboard" : text);
  setTimeout(() => setText(button, "Copy"), COPIED);
}
