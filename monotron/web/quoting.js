/**
 * Names quoted for the programs that read them. Characters that nobody would see are escaped, where the
 * language has an escape for them.
 */

import { visibleText } from "./elements.js";

/** Return a word for a POSIX shell: in single quotes, everything except a single quote is literal. */
export function shell(text) {
  if (visibleText(text) !== text) return `"$(printf '${octal(text)}')"`;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Return a Groovy string: in single quotes, `$` is not expanded. */
export function groovy(text) {
  const escaped = text.replace(/[\\']/g, "\\$&");
  return `'${[...escaped].map((each) => (hidden(each) ? utf16(each) : each)).join("")}'`;
}

/** Return a string for Python, and for YAML, whose double-quoted strings have the same escapes. */
export function doubleQuoted(text) {
  const escaped = text.replace(/[\\"]/g, "\\$&");
  return `"${[...escaped].map((each) => (hidden(each) ? utf32(each) : each)).join("")}"`;
}

/** Return a string for a workflow of GitHub, where `${{` begins an expression. */
export function forGithub(text) {
  return doubleQuoted(text).replaceAll("${{", "${{ '${{' }}");
}

/** Return a string for the value of a variable of GitLab, where `$` begins the name of another. */
export function forGitlab(text) {
  return doubleQuoted(text).replaceAll("$", "$$$$");
}

function hidden(character) {
  return visibleText(character) !== character;
}

// For the format of printf, where an option and a % would mean something.
function octal(text) {
  const bytes = [...new TextEncoder().encode(text)];
  return bytes
    .map((byte) => [String.fromCharCode(byte), `\\${byte.toString(8).padStart(3, "0")}`])
    .map(([character, escape]) => (/[A-Za-z0-9_./]/.test(character) ? character : escape))
    .join("");
}

function utf16(character) {
  return character
    .split("")
    .map((unit) => `\\u${hex(unit.charCodeAt(0), 4)}`)
    .join("");
}

function utf32(character) {
  const point = character.codePointAt(0);
  return point > 0xffff ? `\\U${hex(point, 8)}` : `\\u${hex(point, 4)}`;
}

function hex(number, digits) {
  return number.toString(16).toUpperCase().padStart(digits, "0");
}
