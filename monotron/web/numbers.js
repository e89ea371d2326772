/**
 * Numbers of up to 19 digits. JavaScript's own are exact up to 2^53 alone, so a longer one is text
 * from the answer to the screen.
 */

/** Read JSON; a number with too many digits becomes text. */
export function exact(json) {
  return JSON.parse(json.replace(TOKENS, (token) => (LONG.test(token) ? `"${token}"` : token)));
}

/** Give how far `value` is above `least`: exact where that is below 2^53. */
export function above(least, value) {
  return Number(BigInt(value) - BigInt(least));
}

// Whole strings, so that digits in them are not taken for numbers; and whole numbers.
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const LONG = /^-?\d{16,}$/;
