/** The limit of a series, beyond which it gives out nothing. */

/** Return how many values are left as words, or "" if the series has no limit. */
export function limitText({ value, limit }) {
  if (limit === undefined) return "";
  const rest = BigInt(limit) - BigInt(value);
  return `${limit} (${rest > 0 ? `${rest} left` : "reached"})`;
}

/** Return whether the series has used up 90 % of what its limit allows. */
export function isNear({ value, limit }) {
  return limit !== undefined && BigInt(value) * 100n >= BigInt(limit) * 90n;
}
