/** One series: its state, its history, and how to use it. */

import { BASE, reachable, seriesHash } from "./address.js";
import { openActivity, passTime, refreshActivity } from "./activity_figure.js";
import { isSeries } from "./answers.js";
import { Impossible } from "./api.js";
import { tokenWithAttributes } from "./attributes.js";
import { hideBadge, showBadge, showBadgeUse } from "./badge.js";
import { badgeMarkdown, badgePath } from "./commands.js";
import { credentials } from "./credentials.js";
import { byId, mark, notice, setText, showName, visible } from "./elements.js";
import { leaveFound, openFound, showFound } from "./found.js";
import { openHistory, refreshHistory } from "./history.js";
import { isNear, limitText } from "./limit.js";
import { seriesLines } from "./lines.js";
import { poll } from "./poll.js";
import { putTime } from "./times.js";
import { showUses } from "./uses.js";
import { showWho } from "./who.js";

/** How many values to request with the state of a series whose history a browser cannot request. */
const VALUES = 50;

/** The state shown, or null. */
let shown = null;

export const oneSeries = {
  section: byId("one"),

  /** Show it, with one of its values, and keep it up to date until the given function is called. */
  open({ key, value }, page) {
    if (shown?.key !== key) empty();
    showName(byId("one-key"), key);
    const recent = reachable(key) ? 0 : VALUES;
    const query = new URLSearchParams({ prefix: key, limit: 1, recent, include: "who" });
    const stop = poll(`v1/series?${query}`, isSeries, {
      ...page,
      async answered({ series }, signal) {
        // A key sorts before all others that start with it.
        const state = series.find((each) => each.key === key);
        if (state) {
          show(state);
          await showMore(state, value, signal);
        } else absent();
        page.ready();
      },
      fine() {
        page.fine();
        passTime();
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
    return () => {
      leaveFound();
      stop();
    };
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
  for (const id of ["one-value", "one-token", "one-who", "commands", "badge-command"]) {
    byId(id).replaceChildren();
  }
  notice(byId("one-notice"), null);
  openHistory(null);
  openFound(null);
  openActivity(null);
  hideBadge(byId("badge"));
}

function absent() {
  empty();
  notice(byId("one-notice"), "This series does not exist, or has no value yet.");
}

function show(state) {
  // A series that was deleted and started again has nothing in common with the one shown.
  const fresh = shown?.created_at !== state.created_at || shown?.key !== state.key;
  if (fresh) {
    empty();
    openHistory(state.key);
    openFound(state.key);
    openActivity(state.key);
    showLines(state.key, state.creator_id);
  }
  notice(byId("one-notice"), null);
  setText(byId("one-value"), String(state.value));
  setText(byId("one-limit"), limitText(state));
  byId("one-limit").parentElement.hidden = state.limit === undefined;
  byId("one-limit").classList.toggle("near", isNear(state));
  if (fresh || !same(shown, state)) {
    byId("one-token").replaceChildren(
      state.token === null ? "none" : tokenWithAttributes(state.key, state.token, state.attributes),
    );
  }
  showWho(byId("one-who"), state);
  byId("one-who").parentElement.hidden = !state.api_key;
  putTime(byId("one-updated"), state.updated_at);
  putTime(byId("one-created"), state.created_at);
  if (!fresh && shown.updated_at !== state.updated_at) mark(byId("one-value"));
  byId("one-series").hidden = false;
  shown = state;
}

function same(one, other) {
  const what = ({ token, attributes }) => JSON.stringify([token, attributes]);
  return what(one) === what(other);
}

async function showMore(state, value, signal) {
  const alt = `${visible(state.key)}: ${state.value}`;
  try {
    await Promise.all([
      refreshHistory(state.recent, signal),
      refreshActivity(signal),
      showFound(value, state, signal),
      showBadge(byId("badge"), badgePath(state.key), alt, signal),
    ]);
  } catch (error) {
    // It has been deleted since: the next answer will say so.
    if (!(error instanceof Impossible && error.status === 404)) throw error;
  }
}

function showLines(key, account) {
  const authentication = credentials() !== null;
  showUses(byId("commands"), seriesLines(BASE, key, authentication), authentication);
  const line = badgeMarkdown(BASE, key, badgePath(key, account), seriesHash(key));
  showBadgeUse(byId("badge-command"), line, authentication);
}
