/** The lines that take a number or a version, by the system that builds; each `[title, text]`. */

import { chosenAccount } from "./account.js";
import { encoded } from "./address.js";
import { curl, nextNumber, seriesPath } from "./commands.js";
import { doubleQuoted, forGithub, forGitlab, groovy, shell } from "./quoting.js";

const CANONICAL_UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** A variable of the shell: tokens are the commit that is built. */
const COMMIT = '"$GIT_COMMIT"';

/** Return the lines for a series. `base` is Monotron's address. */
export function seriesLines(base, key, authentication) {
  const commit = `${curl("PUT", base, seriesPath(key), { authentication, key })}/${COMMIT}`;
  const name = doubleQuoted(key);
  const lines = {
    curl: [
      ["Next number, from a shell", nextNumber(base, key, authentication)],
      ["A commit's number, from a shell", commit],
    ],
    shell: [
      ["Next number, with monotron.sh", script(base, `next ${shell(key)}`)],
      ["A commit's number, with monotron.sh", script(base, `next ${shell(key)} ${COMMIT}`)],
    ],
    python: [
      ["Next number, in Python", python(base, [], `next(${name})`)],
      ["A commit's number, in Python", python(base, ["import os"], `next(${name}, os.environ["GIT_COMMIT"])`)],
    ],
    jenkins: [
      ["Next number, in a Jenkinsfile", jenkins("next", groovy(key), authentication)],
      [
        "A commit's number, in a Jenkinsfile",
        jenkins("next", `${groovy(key)}, token: env.GIT_COMMIT`, authentication),
      ],
    ],
    github: [["A commit's number, in GitHub Actions", github(base, key, [], authentication)]],
    gitlab: [["A commit's number, in GitLab CI", gitlab(base, key, [])]],
  };
  // A build number is always the caller's own.
  if (CANONICAL_UUID.test(key) && chosenAccount() === null) {
    lines.curl.unshift(["Build number, from a shell", curl("POST", base, key, { authentication })]);
    lines.shell.unshift(["Build number, with monotron.sh", script(base, `build ${key}`)]);
  }
  return lines;
}

/** Return the lines for the versions of a name. */
export function versionLines(base, name, authentication) {
  const minor = curl("PUT", base, `v1/semver/${encoded(name)}/minor`, { authentication, key: name });
  const words = `version ${shell(name)} minor ${COMMIT}`;
  const arguments_ = `${doubleQuoted(name)}, "minor", os.environ["GIT_COMMIT"]`;
  return {
    curl: [
      ["Next minor version, from a shell", `${minor}/${COMMIT}`],
      ["Pre-release of it, from a shell", `${minor}/${COMMIT}'?pre=rc'`],
    ],
    shell: [
      ["Next minor version, with monotron.sh", script(base, words)],
      ["Pre-release of it, with monotron.sh", script(base, `--pre=rc ${words}`)],
    ],
    python: [
      ["Next minor version, in Python", python(base, ["import os"], `next_version(${arguments_})`)],
    ],
    jenkins: [
      [
        "Next minor version, in a Jenkinsfile",
        jenkins("version", `${groovy(name)}, 'minor', env.GIT_COMMIT`, authentication),
      ],
    ],
    github: [
      ["Next minor version, in GitHub Actions", github(base, name, ["bump: minor"], authentication)],
    ],
    gitlab: [["Next minor version, in GitLab CI", gitlab(base, name, ["MONOTRON_BUMP: minor"])]],
  };
}

function script(base, words) {
  return `MONOTRON_URL=${shell(String(base))} ./monotron.sh ${words}`;
}

function python(base, imports, call) {
  const lines = [
    ...imports,
    "from monotron.client import Client",
    "",
    `client = Client(${doubleQuoted(String(base))})`,
    `print(client.${call})`,
  ];
  return lines.join("\n");
}

function jenkins(method, call, authentication) {
  return `monotron.${method}(${call}${authentication ? ", credentials: 'monotron'" : ""})`;
}

function github(base, key, inputs, authentication) {
  const credentials = authentication ? ["credentials: ${{ secrets.MONOTRON_KEY }}"] : [];
  return [
    "- id: monotron",
    "  uses: OWNER/monotron@main",
    "  with:",
    ...[`url: ${forGithub(String(base))}`, `key: ${forGithub(key)}`, ...inputs, ...credentials].map(
      (line) => `    ${line}`,
    ),
  ].join("\n");
}

function gitlab(base, key, variables) {
  return [
    "include:",
    "  - local: monotron.yml",
    "",
    "number:",
    "  extends: .monotron",
    "  stage: .pre",
    "  variables:",
    ...[
      `MONOTRON_URL: ${forGitlab(String(base))}`,
      `MONOTRON_SERIES: ${forGitlab(key)}`,
      ...variables,
    ].map((line) => `    ${line}`),
  ].join("\n");
}
