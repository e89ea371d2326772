/** The footer: which Monotron this is. */

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

export function forgetVersion() {
  asked = false;
  setText(byId("version"), "Monotron");
}

function isAbout(body) {
  return typeof body?.version === "string";
}
