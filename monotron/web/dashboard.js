/** The dashboard: shows the place that the address names, and moves between places. */

import { offerAccounts, onChoice, withdrawAccounts } from "./account_choice.js";
import { apiPage, onApiFilter } from "./api_page.js";
import { listHash, placeOf } from "./address.js";
import { onOlderBumps } from "./bumps.js";
import { credentials } from "./credentials.js";
import { onCsv } from "./csv.js";
import { byId, visible } from "./elements.js";
import { forgetVersion, showRawLinks, showVersion } from "./footer.js";
import { onFind } from "./found.js";
import { clearGlance, showGlance } from "./glance.js";
import { onOlder } from "./history.js";
import { oneSeries } from "./one_series.js";
import { oneVersion } from "./one_version.js";
import { onNext } from "./pages.js";
import { onSearch, seriesList } from "./series_list.js";
import { askToSignIn, onSignIn, showCaller, signInFromAddress, signInSection } from "./sign_in.js";
import { keepTime } from "./times.js";
import { fine, troubled } from "./trouble.js";
import { wall } from "./wall.js";

const nowhere = {
  section: byId("nowhere"),
  open(place, page) {
    page.ready();
    return () => {};
  },
  clear() {},
};
const views = {
  list: seriesList,
  series: oneSeries,
  version: oneVersion,
  wall,
  api: apiPage,
  nowhere,
};

/** What the title names, and the views that Escape leaves for the list. */
const TITLES = { wall: "Wall", api: "API" };
const LEAVING = new Set(["series", "version", "wall", "api"]);

let place = null;
let close = () => {};
/** The list that the user last saw. */
let lastList = "#/";

/** Show the place; `staying` says that the user goes on with what has the focus. */
function go(staying = false) {
  const from = place;
  close();
  place = placeOf(location.hash);
  const view = views[place.view];
  if (place.view === "list") {
    lastList = listHash(place);
    for (const back of document.querySelectorAll(".back, #wall-leave")) back.setAttribute("href", lastList);
  }
  const here = place;
  let ready = false;
  close = view.open(place, {
    staying,
    ready() {
      if (ready) return;
      ready = true;
      arrive(view, from, here, staying);
    },
    refused(error) {
      fine();
      clear();
      withdrawAccounts();
      reveal(signInSection);
      document.title = "Sign in · Monotron";
      askToSignIn(error);
    },
    troubled,
    fine() {
      fine();
      offerAccounts(again);
    },
  });
}

/** Show the view, and take the user to its beginning, or to where it was left. */
function arrive(view, from, here, staying) {
  const signingIn = !signInSection.hidden;
  const choosing = document.activeElement === byId("account");
  reveal(view.section);
  document.title = titleOf(here);
  showCaller();
  showVersion();
  showGlance(here.view === "list");
  if (choosing) return;
  if (!signingIn) {
    // The search field is shown before the list's answer arrives, and may be in use.
    const typing = here.view === "list" && document.activeElement === byId("search");
    // Another value of the same series is shown in the middle of its page.
    const going = from?.view === "series" && here.view === "series" && from.key === here.key;
    if (from === null || staying || typing || going) return;
    if (here.view === "list" && seriesList.resume(listHash(here))) return;
  }
  scrollTo(0, 0);
  view.section.querySelector("h1, h2").focus({ preventScroll: true });
}

function titleOf({ view, key, value, name }) {
  const words = { series: [key, value], version: [name] }[view] ?? [TITLES[view]];
  return [...words.filter(Boolean).map(visible), "Monotron"].join(" · ");
}

function reveal(section) {
  for (const each of document.querySelectorAll("main > section")) each.hidden = each !== section;
  document.documentElement.classList.toggle("wall", section === wall.section);
  showRawLinks(credentials() === null && section !== signInSection);
}

function clear() {
  for (const view of Object.values(views)) view.clear();
  clearGlance();
  forgetVersion();
}

/** Show the same place for somebody else, or in another account. */
function again() {
  clear();
  go();
}

function replace(hash) {
  history.replaceState(null, "", hash);
  go(true);
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  const typing = event.target.matches("input:not([type=radio]), textarea, select");
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
addEventListener("hashchange", () => go());
document.addEventListener("keydown", onKey);
onSearch(replace, () => place);
onOlder();
onNext();
onOlderBumps();
onCsv();
onFind();
onSignIn(() => go(), () => {
  withdrawAccounts();
  again();
});
onChoice(again);
onApiFilter();
keepTime();
showCaller();
if (!signInFromAddress()) go();
