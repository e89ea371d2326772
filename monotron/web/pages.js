/** The pages of the list: which one this is, and the ways to the others. */

import { listHash } from "./address.js";
import { byId, setText } from "./elements.js";

/** The hash of each page's previous page, as far as the user has come this way. */
const before = new Map();

/** Remember which page leads to the next one. */
export function onNext() {
  const next = byId("next");
  next.addEventListener("click", () => before.set(next.getAttribute("href"), next.dataset.from));
}

/**
 * Show where the page at `place` stands among all of them. `next` is the place after it or null, `count`
 * how many rows it has, and `all` how many there are on all pages, or null if nobody knows.
 */
export function showPages(place, { next, count, all, rows }) {
  const here = listHash(place);
  const { page } = place;
  const first = listHash({ ...place, after: "" });
  const following =
    next === null ? null : listHash({ ...place, after: next, page: page ? page + 1 : 0 });
  byId("next").dataset.from = here;
  byId("pages").hidden = next === null && !place.after;
  link(byId("first-page"), place.after ? first : null);
  link(byId("previous"), (place.after && before.get(here)) || (page === 2 ? first : null));
  link(byId("next"), following);
  const last = lastPage(page, next, all === null ? null : Math.ceil(all / rows));
  const of = last === null ? "" : ` of ${last.toLocaleString("en")}`;
  setText(
    byId("count"),
    page ? `Page ${page.toLocaleString("en")}${of}` : `${count} series on this page`,
  );
}

// While series come and go, what was counted a minute ago may contradict what is seen.
function lastPage(page, next, counted) {
  if (next === null) return page;
  return counted !== null && counted > page ? counted : null;
}

function link(anchor, hash) {
  anchor.hidden = hash === null;
  if (hash !== null) anchor.setAttribute("href", hash);
}
