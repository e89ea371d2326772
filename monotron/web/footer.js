/** The footer: which Monotron this is, and what else it serves. */

import { get, isFailure } from "./api.js";
import { byId, setText } from "./elements.js";

/** Whether the version has been asked for. */
let asked = false;

/** Show the version of the service, once it answers the user. */
export async function showVersion() {
  if (asked) return;
  asked = true;
  try {
    const { body } = await get("v1", { holds: isAbout });
    if (asked) setText(byId("version"), `Monotron ${body.version}`);
  } catch (error) {
    if (!isFailure(error)) throw error;
    asked = false;
  }
}

/** Offer the links to what needs credentials, unless the browser would ask for them in its own dialog. */
export function showRawLinks(offered) {
  for (const link of document.querySelectorAll(".bottom .raw")) link.hidden = !offered;
}

export function forgetVersion() {
  asked = false;
  setText(byId("version"), "Monotron");
}

function isAbout(body) {
  return typeof body?.version === "string";
}
