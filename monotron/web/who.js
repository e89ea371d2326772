/** Who took a number: the API key's name if it has one, and the key itself in the title. */

import { element, showName, visible } from "./elements.js";

/** Show it in `place`; nothing if no API key did. */
export function showWho(place, { api_key: key, api_key_name: name }) {
  if (!key) {
    place.replaceChildren();
    return;
  }
  if (place.firstElementChild === null) place.append(element("bdi"));
  showName(place.firstElementChild, name ?? key);
  place.firstElementChild.title = visible(key);
}
