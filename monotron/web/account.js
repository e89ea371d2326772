/**
 * The account that the page looks at. An API key has only its own; the root pair, and everybody where
 * authentication is off, choose among all, for this tab.
 */

import { credentials } from "./credentials.js";
import { tab } from "./storage.js";

const NAME = "account";
/** What each account has of its own, below its own path too. */
const OWN = /^v1\/(series|history|tokens|semver|calver|badges|activity)(?=[/?]|$)/;

/** Who chose which account: `{id, caller}`, or null. */
let chosen = kept();

/** Return the id of the account that was chosen, as text, or null for the caller's own. */
export function chosenAccount() {
  // A choice ends with the caller: the next one may have no other account.
  return chosen?.caller === caller() ? (chosen?.id ?? null) : null;
}

/** Look at this account from now on; null for the caller's own. */
export function chooseAccount(id) {
  chosen = id === null ? null : { id, caller: caller() };
  if (chosen) tab.write(NAME, chosen);
  else tab.remove(NAME);
}

/** Return the path of the same thing in the chosen account. */
export function accountPath(path) {
  const id = chosenAccount();
  return id === null ? path : path.replace(OWN, `v1/accounts/${id}/$1`);
}

function caller() {
  return credentials()?.key ?? null;
}

function kept() {
  const found = tab.read(NAME);
  return /^\d{1,19}$/.test(found?.id) ? found : null;
}
