/** Lines ready to be copied, each quoted for the program that it is pasted into. */

import { accountPath, chosenAccount } from "./account.js";
import { encoded, reachable, seriesHash } from "./address.js";
import { fromTemplate, say, setText } from "./elements.js";

const CANONICAL_UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const FIRST_ACCOUNT = 1;
const COPIED = 2000;

/** Return every line for a series, each `[title, text]`. `base` is monotron's address. */
export function linesFor(base, key, authentication) {
  const lines = [];
  // A build number is always the caller's own.
  if (CANONICAL_UUID.test(key) && chosenAccount() === null) {
    lines.push(["Build number, from a shell", curl("POST", base, key, { authentication })]);
  }
  lines.push(
    ["Next number, from a shell", nextNumber(base, key, authentication)],
    [
      "A commit's number, from a shell",
      `${curl("PUT", base, seriesPath(key), { authentication, key })}/"$GIT_COMMIT"`,
    ],
    ["Next number, in a Jenkinsfile", jenkins(groovy(key), authentication)],
    [
      "A commit's number, in a Jenkinsfile",
      jenkins(`${groovy(key)}, token: env.GIT_COMMIT`, authentication),
    ],
  );
  return lines;
}

export function nextNumber(base, key, authentication = false) {
  return curl("POST", base, seriesPath(key), { authentication, key });
}

/**
 * Return the badge in Markdown, as a link to the series. A reader without credentials sees badges of
 * the first account, so a badge of another account must name it.
 */
export function badgeMarkdown(base, account, key) {
  const text = key.replace(/[\\`*_[\]<>&!|~]/g, "\\$&");
  const page = new URL(seriesHash(key), base);
  return `[![${text}](${new URL(badgePath(key, account), base)})](${page})`;
}

export function badgePath(key, account = FIRST_ACCOUNT) {
  const owner = account === FIRST_ACCOUNT ? "" : `accounts/${account}/`;
  return `v1/${owner}badges/${encoded(key)}.svg`;
}

/** Return a word for a POSIX shell: in single quotes, everything except a single quote is literal. */
export function shell(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Return a Groovy string: in single quotes, `$` is not expanded. */
export function groovy(text) {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
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

function curl(method, base, path, { authentication = false, key = "" }) {
  const words = ["curl", "-fsS", "-X", method, "-H", shell("Accept: text/plain")];
  // Like browsers, curl would leave such a segment out of the path.
  if (!reachable(key)) words.push("--path-as-is");
  if (authentication) words.push("-u", '"$MONOTRON_KEY"');
  // Not through URL, which removes `.` and `..`.
  return [...words, shell(`${base}${accountPath(path)}`)].join(" ");
}

function jenkins(call, authentication) {
  return `monotron.next(${call}${authentication ? ", credentials: 'monotron'" : ""})`;
}

function seriesPath(key) {
  return `v1/series/${encoded(key)}`;
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
