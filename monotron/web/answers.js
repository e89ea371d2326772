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

export function isHistory(body) {
  return isList(body?.history, isEntry);
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
