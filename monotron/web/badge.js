/** The badge of a series, requested like everything else and shown from memory. */

import { foreign, get } from "./api.js";
import { badgePath } from "./commands.js";
import { byId, element, visible } from "./elements.js";

let place = null;

/**
 * Show the current badge. It replaces the previous one once its size is known, so that nothing below
 * it moves.
 */
export async function showBadge(key, value, signal) {
  const { body } = await get(badgePath(key), { image: true, signal });
  const made = URL.createObjectURL(body);
  const image = element("img", { src: made, alt: `${visible(key)}: ${value}` });
  try {
    await image.decode();
    signal.throwIfAborted();
  } catch (error) {
    URL.revokeObjectURL(made);
    // decode throws one if it is not an image. Meanwhile another series may be shown.
    if (!signal.aborted && error instanceof DOMException) throw foreign();
    throw error;
  }
  byId("badge").replaceChildren(image);
  byId("badge").hidden = false;
  if (place) URL.revokeObjectURL(place);
  place = made;
}

export function hideBadge() {
  byId("badge").hidden = true;
  byId("badge").replaceChildren();
  if (place) URL.revokeObjectURL(place);
  place = null;
}
