/** The whole history of a series as a file: a link could not send the credentials. */

import { encoded } from "./address.js";
import { CSV, get, isFailure } from "./api.js";
import { byId, element, notice, visible } from "./elements.js";
import { historyOf } from "./history.js";

/** A browser has begun to read the file by then. */
const READ = 10_000;

/** Make the button save the history that is shown. */
export function onCsv() {
  const button = byId("csv");
  button.addEventListener("click", async () => {
    const { key, signal } = historyOf();
    button.disabled = true;
    try {
      const { body } = await get(`v1/history/${encoded(key)}`, { type: CSV, signal });
      save(body, `${visible(key)}.csv`);
    } catch (error) {
      if (signal.aborted) return;
      if (!isFailure(error)) throw error;
      notice(byId("history-notice"), `The history cannot be saved: ${error.message}.`);
    } finally {
      button.disabled = false;
    }
  });
}

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), READ);
}
