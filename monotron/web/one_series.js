/** One series: its state, its history, and how to use it. */

import { BASE, loopback } from "./address.js";
import { isSeries } from "./answers.js";
import { Impossible } from "./api.js";
import { tokenWithAttributes } from "./attributes.js";
import { hideBadge, showBadge } from "./badge.js";
import { chart } from "./chart.js";
import { badgeMarkdown, command } from "./commands.js";
import { credentials } from "./credentials.js";
import { byId, element, mark, notice, setText, showName } from "./elements.js";
import { openHistory, refreshHistory } from "./history.js";
import { isNear, limitText } from "./limit.js";
import { seriesLines } from "./lines.js";
import { poll } from "./poll.js";
import { exactly, showTime } from "./times.js";
import { showUses } from "./uses.js";

const VALUES = 50;

/** The state shown, with the newest values, or null. */
let shown = null;

export const oneSeries = {
  section: byId("one"),

  /** Show it, and keep it up to date until the given function is called. */
  open({ key }, page) {
    if (shown?.key !== key) empty();
    showName(byId("one-key"), key);
    const query = new URLSearchParams({ prefix: key, limit: 1, recent: VALUES });
    return poll(`v1/series?${query}`, isSeries, {
      ...page,
      async answered({ series }, signal) {
        // A key sorts before all others that start with it.
        const state = series.find((each) => each.key === key);
        if (state) await show(state, signal);
        else absent();
        page.ready();
      },
      impossible(error) {
        empty();
        notice(byId("one-notice"), `Such a series cannot exist: ${error.message}.`);
        page.ready();
        page.fine();
      },
      troubled(error) {
        page.troubled(error);
        page.ready();
      },
    });
  },

  /** Forget what was shown. */
  clear() {
    empty();
    setText(byId("one-key"), "");
  },
};

function empty() {
  shown = null;
  byId("one-series").hidden = true;
  for (const id of ["one-value", "one-token", "one-chart", "commands", "badge-command"]) {
    byId(id).replaceChildren();
  }
  notice(byId("one-notice"), null);
  openHistory(null);
  hideBadge();
}

function absent() {
  empty();
  notice(byId("one-notice"), "This series does not exist, or has no value yet.");
}

async function show(state, signal) {
  // A series that was deleted and started again has nothing in common with the one shown.
  const fresh = shown?.created_at !== state.created_at || shown?.key !== state.key;
  if (fresh) {
    empty();
    openHistory(state.key);
    showLines(state.key, state.creator_id);
  }
  notice(byId("one-notice"), null);
  setText(byId("one-value"), String(state.value));
  setText(byId("one-limit"), limitText(state));
  byId("one-limit").parentElement.hidden = state.limit === undefined;
  byId("one-limit").classList.toggle("near", isNear(state));
  if (fresh || shown.token !== state.token) {
    byId("one-token").replaceChildren(
      state.token === null ? "none" : tokenWithAttributes(state.key, state.token),
    );
  }
  moment(byId("one-updated"), state.updated_at);
  moment(byId("one-created"), state.created_at);
  if (fresh || JSON.stringify(shown.recent) !== JSON.stringify(state.recent)) {
    showChart(state.recent);
  }
  if (!fresh && shown.updated_at !== state.updated_at) mark(byId("one-value"));
  byId("one-series").hidden = false;
  shown = state;
  await showMore(state, signal);
}

async function showMore(state, signal) {
  try {
    await Promise.all([
      refreshHistory(state.recent, signal),
      showBadge(state.key, state.value, signal),
    ]);
  } catch (error) {
    // It has been deleted since: the next answer will say so.
    if (!(error instanceof Impossible && error.status === 404)) throw error;
  }
}

function moment(place, when) {
  if (place.children.length === 0) {
    const exact = element("span", { className: "exact" });
    place.append(element("time", { className: "ago" }), " ", exact);
  }
  showTime(place, when);
}

function showChart(recent) {
  const ends = recent.length > 1 ? [recent.at(-1), recent[0]] : recent;
  const words = ends.map(({ value, created_at: at }) => `${value}, ${exactly(at)}`);
  const caption = element("figcaption", {}, ...words.map((text) => element("span", {}, text)));
  byId("one-chart").replaceChildren(chart(recent), caption);
}

function showLines(key, account) {
  const authentication = credentials() !== null;
  byId("address-note").hidden = !loopback(BASE.hostname);
  byId("key-note").hidden = byId("badge-note").hidden = !authentication;
  showUses(byId("commands"), seriesLines(BASE, key, authentication));
  byId("badge-command").replaceChildren(command("In Markdown", badgeMarkdown(BASE, account, key)));
}
