/** The semantic version of a name: where it is, how it got there, and how to take the next one. */

import { BASE, reachable, versionHash } from "./address.js";
import { isSeries, isVersions } from "./answers.js";
import { get, Impossible } from "./api.js";
import { hideBadge, showBadge, showBadgeUse } from "./badge.js";
import { newestBump, openBumps, refreshBumps } from "./bumps.js";
import { badgeMarkdown, versionBadgePath } from "./commands.js";
import { credentials } from "./credentials.js";
import { byId, mark, named, notice, setText, showName, visible } from "./elements.js";
import { versionLines } from "./lines.js";
import { poll } from "./poll.js";
import { putTime } from "./times.js";
import { showUses } from "./uses.js";
import { showWho } from "./who.js";

/** The version shown, or null. */
let shown = null;

export const oneVersion = {
  section: byId("semver"),

  /** Show it, and keep it up to date until the given function is called. */
  open({ name }, page) {
    if (shown?.name !== name) empty();
    showName(byId("semver-name"), name);
    if (!reachable(name)) {
      notice(byId("semver-notice"), "A browser cannot request this version: it removes . and .. from a path.");
      page.ready();
      return () => {};
    }
    const query = new URLSearchParams({ prefix: name, limit: 1 });
    return poll(`v1/semver?${query}`, isVersions, {
      ...page,
      async answered({ versions }, signal) {
        // A name sorts before all others that start with it.
        const version = versions.find((each) => each.name === name);
        if (version) await show(version, signal);
        else absent();
        page.ready();
      },
      impossible(error) {
        empty();
        notice(byId("semver-notice"), `Such a version cannot exist: ${error.message}.`);
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
    setText(byId("semver-name"), "");
  },
};

function empty() {
  shown = null;
  byId("semver-shown").hidden = true;
  for (const id of ["semver-value", "semver-token", "semver-who", "semver-uses", "semver-badge-command"]) {
    byId(id).replaceChildren();
  }
  notice(byId("semver-notice"), null);
  openBumps(null);
  hideBadge(byId("semver-badge"));
}

function absent() {
  empty();
  notice(byId("semver-notice"), "This name has no version yet.");
}

async function show(version, signal) {
  const fresh = shown === null;
  if (fresh) {
    openBumps(version.name);
    const authentication = credentials() !== null;
    showUses(byId("semver-uses"), versionLines(BASE, version.name, authentication), authentication);
  }
  notice(byId("semver-notice"), null);
  setText(byId("semver-value"), version.version);
  showRelease(version);
  byId("semver-token").replaceChildren(version.token === null ? "none" : named(version.token));
  putTime(byId("semver-changed"), version.changed_at);
  if (!fresh && shown.version !== version.version) mark(byId("semver-value"));
  byId("semver-shown").hidden = false;
  shown = version;
  await showMore(version, signal);
}

function showRelease({ release }) {
  byId("semver-release").parentElement.hidden = release === undefined;
  setText(byId("semver-release"), release ?? "none yet");
}

async function showMore(version, signal) {
  const { name } = version;
  const alt = `${visible(name)}: ${version.version}`;
  try {
    await Promise.all([
      refreshBumps(signal),
      showBadge(byId("semver-badge"), versionBadgePath(name), alt, signal),
    ]);
    showTaker();
    if (byId("semver-badge-command").children.length === 0) {
      const path = versionBadgePath(name, await account(signal));
      const line = badgeMarkdown(BASE, name, path, versionHash(name));
      showBadgeUse(byId("semver-badge-command"), line, credentials() !== null);
    }
  } catch (error) {
    // It has been deleted since: the next answer will say so.
    if (!(error instanceof Impossible && error.status === 404)) throw error;
  }
}

function showTaker() {
  const bump = newestBump();
  const known = bump?.version === shown.version && bump.api_key !== null;
  byId("semver-who").parentElement.hidden = !known;
  if (known) showWho(byId("semver-who"), bump);
}

/** Return the account that the version belongs to: that of the series that counted it. */
async function account(signal) {
  const bump = newestBump();
  if (bump === null) return undefined;
  const query = new URLSearchParams({ prefix: bump.key, limit: 1, recent: 0 });
  const { body } = await get(`v1/series?${query}`, { signal, holds: isSeries });
  return body.series.find(({ key }) => key === bump.key)?.creator_id;
}
