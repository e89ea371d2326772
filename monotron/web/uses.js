/** "Use it": the lines for one system at a time, which the user picks. */

import { chosenAccount } from "./account.js";
import { BASE, loopback } from "./address.js";
import { choice } from "./choice.js";
import { command } from "./commands.js";
import { element, fromTemplate, setText } from "./elements.js";

/** Each system's name, and what it needs first. */
const SYSTEMS = {
  curl: ["curl", ""],
  shell: ["Shell", "Put clients/monotron.sh beside your build's files. It tries again if there is no answer."],
  python: ["Python", "Install the client with pip install monotron. It tries again if there is no answer."],
  jenkins: ["Jenkins", "Add clients/jenkins to Jenkins as a library with the name monotron."],
  github: ["GitHub", "Replace OWNER with the owner of Monotron's repository, or of your copy of it."],
  gitlab: ["GitLab", "Copy clients/gitlab/monotron.yml into your repository."],
};

/** The system that the user picked last, here or for another series. */
let picked = "curl";

/**
 * Show in `place` the lines of each system, which are `[title, text]`; `authentication` says whether
 * they need an API key.
 */
export function showUses(place, lines, authentication) {
  const panels = Object.entries(SYSTEMS).map(([system, [, first]]) =>
    element(
      "div",
      { hidden: system !== picked },
      ...(first ? [element("p", { className: "quiet", textContent: first })] : []),
      ...lines[system].map(([title, text]) => command(title, text)),
    ),
  );
  const names = Object.entries(SYSTEMS).map(([system, [name]]) => [system, name]);
  const pick = (system) => {
    picked = system;
    panels.forEach((panel, at) => {
      panel.hidden = names[at][0] !== system;
    });
  };
  const notes = fromTemplate("use-notes");
  notes.querySelector(".address-note").hidden = !loopback(BASE.hostname);
  notes.querySelector(".key-note").hidden = !authentication;
  const chosen = chosenAccount();
  notes.querySelector(".account-note").hidden = chosen === null;
  setText(notes.querySelector(".account-note span"), chosen ?? "");
  place.replaceChildren(notes, choice("System", names, picked, pick), ...panels);
}
