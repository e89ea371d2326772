/** The choice of an account, offered to those who may look at more than one. */

import { chooseAccount, chosenAccount } from "./account.js";
import { isAccounts } from "./answers.js";
import { get, Impossible, Refused, Trouble } from "./api.js";
import { credentials } from "./credentials.js";
import { arrange, byId, element } from "./elements.js";

/** The account of everybody who has no API key. */
const FIRST = "1";
const AT_MOST = 1000;

/** Whose accounts are known or being asked for; undefined if nobody's. */
let known;

/** Ask for the accounts, unless that has been done for this caller; `changed` is called if it must. */
export async function offerAccounts(changed) {
  const caller = credentials();
  if (known === caller) return;
  known = caller;
  const found = await accounts();
  if (credentials() !== caller) return;
  if (found === null) known = undefined;
  else offer(found, changed);
}

/** Call `changed` when another account has been chosen. */
export function onChoice(changed) {
  byId("account").addEventListener("change", ({ target }) => {
    chooseAccount(target.value === FIRST ? null : target.value);
    showAccount();
    changed();
  });
  // Others may have been created while nobody looked.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !byId("account-choice").hidden) known = undefined;
  });
}

/** Forget the accounts of a caller who has left. */
export function withdrawAccounts() {
  known = undefined;
  byId("account-choice").hidden = true;
  arrange(byId("account"), []);
  showAccount();
}

/** Return the ids, none if the caller has no choice, or null if there is no answer at present. */
async function accounts() {
  try {
    const { body } = await get(`v1/accounts?limit=${AT_MOST}`, { holds: isAccounts });
    return body.accounts.map(({ id }) => String(id));
  } catch (error) {
    if (error instanceof Refused || error instanceof Impossible) return [];
    if (error instanceof Trouble) return null;
    throw error;
  }
}

function offer(ids, changed) {
  const chosen = chosenAccount();
  const missing = chosen !== null && !ids.includes(chosen);
  // A page that is full may just not have it.
  if (missing && ids.length === AT_MOST) ids.push(chosen);
  else if (missing) chooseAccount(null);
  byId("account").replaceChildren(
    ...ids.map((id) => element("option", { value: id, textContent: id })),
  );
  byId("account-choice").hidden = ids.length < 2;
  showAccount();
  if (chosen !== chosenAccount()) changed();
}

function showAccount() {
  byId("account").value = chosenAccount() ?? FIRST;
}
