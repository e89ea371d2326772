/** The dashboard: shows the place that the address names, and moves between places. */

import { offerAccounts, onChoice, withdrawAccounts } from "./account_choice.js";
import { apiPage, onApiFilter } from "./api_page.js";
import { listHash, placeOf } from "./address.js";
import { byId, setText, visible } from "./elements.js";
import { onOlder } from "./history.js";
import { oneSeries } from "./one_series.js";
import { onSearch, seriesList } from "./series_list.js";
import { askToSignIn, onSignIn, showCaller, signInFromAddress, signInSection } from "./sign_in.js";
import { keepTime, minute } from "./times.js";
import { wall } from "./wall.js";

const nowhere = {
  section: byId("nowhere"),
  open(place, page) {
    page.ready();
    return () => {};
  },
  clear() {},
};
const views = { list: seriesList, series: oneSeries, wall, api: apiPage, nowhere };

const TITLES = { wall: "Wall", api: "API" };
/** The views that Escape leaves for the list. */
const LEAVING = new Set(["series", "wall", "api"]);

let place = null;
let close = () => {};
/** The list that the user last saw. */
let lastList = "#/";
/** When answers stopped, or null. */
let silentSince = null;

function go() {
  const from = place;
  close();
  place = placeOf(location.hash);
  const view = views[place.view];
  if (place.view === "list") {
    lastList = listHash(place.prefix, place.after);
    for (const id of ["back", "wall-leave"]) byId(id).setAttribute("href", lastList);
  }
  const here = place;
  let ready = false;
  close = view.open(place, {
    ready() {
      if (ready) return;
      ready = true;
      arrive(view, from, here);
    },
    refused(error) {
      answered();
      clear();
      withdrawAccounts();
      reveal(signInSection);
      document.title = "Sign in · Monotron";
      askToSignIn(error);
    },
    troubled,
    fine() {
      answered();
      offerAccounts(again);
    },
  });
}

/** Show the view, and take the user to its beginning, or to where it was left. */
function arrive(view, from, here) {
  const signingIn = !signInSection.hidden;
  const choosing = document.activeElement === byId("account");
  reveal(view.section);
  const title = here.view === "series" ? visible(here.key) : TITLES[here.view];
  document.title = title ? `${title} · Monotron` : "Monotron";
  showCaller();
  if (choosing) return;
  if (!signingIn) {
    const searching = from?.view === "list" && here.view === "list" && from.after === here.after;
    // The search field is shown before the list's answer arrives, and may be in use.
    const typing = here.view === "list" && document.activeElement === byId("search");
    if (from === null || searching || typing) return;
    if (here.view === "list" && seriesList.resume(listHash(here.prefix, here.after))) return;
  }
  scrollTo(0, 0);
  view.section.querySelector("h1, h2").focus({ preventScroll: true });
}

function reveal(section) {
  for (const each of document.querySelectorAll("main > section")) each.hidden = each !== section;
}

function clear() {
  for (const view of Object.values(views)) view.clear();
}

function troubled(error) {
  silentSince ??= minute(new Date());
  setText(byId("trouble"), `${error.message} (since ${silentSince}). Trying again.`);
}

function answered() {
  silentSince = null;
  setText(byId("trouble"), "");
}

/** Show the same place for somebody else, or in another account. */
function again() {
  clear();
  go();
}

function replace(hash) {
  history.replaceState(null, "", hash);
  go();
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  const typing = event.target.matches("input, textarea, select");
  if (event.key === "Escape" && LEAVING.has(place.view) && !typing) {
    location.hash = lastList;
  } else if (event.key === "/" && !typing && signInSection.hidden) {
    event.preventDefault();
    searchFor();
  }
}

function searchFor() {
  if (place.view !== "list") {
    history.pushState(null, "", lastList);
    go();
    // If the list was just left, it is still complete; otherwise it is about to be shown.
    reveal(seriesList.section);
  }
  byId("search").focus();
  byId("search").select();
}

// A skip link with a hash would name another place.
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});

history.scrollRestoration = "manual";
addEventListener("hashchange", go);
document.addEventListener("keydown", onKey);
onSearch(replace);
onOlder();
onSignIn(go, () => {
  withdrawAccounts();
  again();
});
onChoice(again);
onApiFilter();
keepTime();
showCaller();
if (!signInFromAddress()) go();
