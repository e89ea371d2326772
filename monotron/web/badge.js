/** The badge of a series, asked for as everything else is and shown from memory. */

import { get } from "./api.js";
import { badgePath } from "./commands.js";
import { byId, element } from "./elements.js";

let place = null;

/** Show the badge as it is now. */
export async function showBadge(key, value, signal) {
  const { body } = await get(badgePath(key), { image: true, signal });
  hideBadge();
  place = URL.createObjectURL(body);
  byId("badge").replaceChildren(element("img", { src: place, alt: `${key}: ${value}` }));
  byId("badge").hidden = false;
}

export function hideBadge() {
  byId("badge").hidden = true;
  byId("badge").replaceChildren();
  if (place) URL.revokeObjectURL(place);
  place = null;
}
