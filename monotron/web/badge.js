/** A badge, requested like everything else and shown from memory. */

import { foreign, get } from "./api.js";
import { command } from "./commands.js";
import { element, fromTemplate } from "./elements.js";

/** The address in memory of the badge that each place shows. */
const addresses = new WeakMap();

/**
 * Show the current badge in `place`. It replaces the previous one once its size is known, so that
 * nothing below it moves.
 */
export async function showBadge(place, path, alt, signal) {
  const { body } = await get(path, { type: "image/", signal });
  const made = URL.createObjectURL(body);
  const image = element("img", { src: made, alt });
  try {
    await image.decode();
    signal.throwIfAborted();
  } catch (error) {
    URL.revokeObjectURL(made);
    // decode throws one if it is not an image. Meanwhile another badge may be shown.
    if (!signal.aborted && error instanceof DOMException) throw foreign();
    throw error;
  }
  place.replaceChildren(image);
  place.hidden = false;
  forget(place);
  addresses.set(place, made);
}

export function hideBadge(place) {
  place.hidden = true;
  place.replaceChildren();
  forget(place);
}

/** Show in `place` the line that puts a badge into a page, and what its readers need. */
export function showBadgeUse(place, line, authentication) {
  const note = fromTemplate("badge-note");
  note.hidden = !authentication;
  place.replaceChildren(note, command("In Markdown", line));
}

function forget(place) {
  if (addresses.has(place)) URL.revokeObjectURL(addresses.get(place));
  addresses.delete(place);
}
