/**
 * The checks that an answer must pass to be shown. Another program's answer may be JSON too, such as
 * that of a proxy that wants a login.
 */

export function isSeries(body) {
  return isList(body?.series, isState);
}

/** Return whether a body is a page of the list, each series with its times and its hours. */
export function isPage(body) {
  return isList(body?.series, isRow) && (body.next === null || isText(body.next));
}

/** Return whether a body counts numbers by time. */
export function isActivity(body) {
  return isList(body?.activity, (each) => isText(each?.start) && Number.isInteger(each.count));
}

/** Series that may be folded by version, each with who took the newest value. */
export function isWall(body) {
  return isList(body?.series, isShown);
}

export function isHistory(body) {
  return isList(body?.history, isTaken);
}

/** Return whether a body is the value of a token. */
export function isValue(body) {
  return isObject(body) && isWhole(body.value);
}

export function isVersions(body) {
  return isList(body?.versions, isVersion);
}

export function isBumps(body) {
  return isList(body?.history, isBump);
}

/** An OpenAPI document, as far as the page relies on it. */
export function isDescription(body) {
  return (
    isText(body?.openapi) &&
    isText(body.info?.version) &&
    isList(body.tags, (tag) => isText(tag?.name)) &&
    isObject(body.paths) &&
    Object.values(body.paths).every(isObject)
  );
}

export function isAccounts(body) {
  return isList(body?.accounts, (each) => isObject(each) && isWhole(each.id));
}

export function isAttributes(body) {
  return isObject(body) && Object.values(body).every(isText);
}

function isState(each) {
  return (
    isEntry(each) && isText(each.key) && isText(each.updated_at) && isList(each.recent, isEntry)
  );
}

function isRow(each) {
  return (
    isEntry(each) &&
    isText(each.key) &&
    isText(each.updated_at) &&
    isList(each.activity, Number.isInteger) &&
    (each.version === undefined || (isText(each.version?.name) && isText(each.version.version)))
  );
}

function isShown(each) {
  const { version, api_key: who, api_key_name: name } = each ?? {};
  return (
    isEntry(each) &&
    isText(each.key) &&
    isText(each.updated_at) &&
    (each.token === null || isText(each.token)) &&
    (who === null || isText(who)) &&
    (name === undefined || isText(name)) &&
    (version === undefined || (isText(version?.name) && isText(version.version)))
  );
}

function isTaken(each) {
  return (
    isEntry(each) &&
    (each.first === undefined || (isWhole(each.first) && isWhole(each.count))) &&
    (each.moved_from === undefined || isWhole(each.moved_from)) &&
    (each.attributes === undefined || isAttributes(each.attributes))
  );
}

function isVersion(each) {
  return isObject(each) && isText(each.name) && isText(each.version) && isText(each.changed_at);
}

function isBump(each) {
  return (
    isObject(each) &&
    isText(each.version) &&
    isText(each.token) &&
    isText(each.key) &&
    isWhole(each.value) &&
    (each.created_at === null || isText(each.created_at))
  );
}

function isEntry(each) {
  return isObject(each) && isWhole(each.value) && isText(each.created_at);
}

function isList(list, isOne) {
  return Array.isArray(list) && list.every(isOne);
}

function isObject(body) {
  return typeof body === "object" && body !== null && !Array.isArray(body);
}

function isText(text) {
  return typeof text === "string";
}

// A number with too many digits is text: see exact.
function isWhole(value) {
  return Number.isInteger(value) || (isText(value) && /^\d+$/.test(value));
}
