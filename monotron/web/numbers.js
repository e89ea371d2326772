/**
 * Numbers of up to 19 digits. JavaScript's own are exact only up to 2^53, so a longer one is kept as
 * text from the answer to the screen.
 */

/** Read JSON; a number with too many digits becomes text. */
export function exact(json) {
  return JSON.parse(json.replace(TOKENS, (token) => (LONG.test(token) ? `"${token}"` : token)));
}

/** Return how far `value` is above `least`: exact if that is below 2^53. */
export function above(least, value) {
  return Number(BigInt(value) - BigInt(least));
}

// Entire strings, so that digits in them are not taken for numbers, and entire numbers.
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const LONG = /^-?\d{16,}$/;
