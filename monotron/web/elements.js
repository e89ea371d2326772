/** Elements of the page. Content is always shown as text: nothing here parses HTML. */

/** Longer than the style sheet's animation. */
const MARKED = 2000;

/** The timer of each marked node. */
const marked = new WeakMap();

/**
 * Characters that fonts show as nothing, or all as the same box. A joiner in an emoji is no exception: a
 * font without the joined picture shows what it shows without the joiner. A bracket that begins what
 * looks like a mark becomes one itself.
 */
const HIDDEN = [
  String.raw`[\p{C}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\u2800\ufffc\u{16fe4}\u{1d159}]`,
  String.raw`(?! )\p{Z}`,
  String.raw`⟨(?=U\+[0-9A-F]{4,6}⟩)`,
].join("|");
const IN_NAMES = new RegExp(`${HIDDEN}|^ | $|(?<= ) `, "gu");
const IN_TEXTS = new RegExp(`(?![\n\t])(?:${HIDDEN})`, "gu");
const MARKS = /(⟨U\+[0-9A-F]{4,6}⟩)/;

export function byId(id) {
  return document.getElementById(id);
}

/** Return a copy of the only element in a `<template>`. */
export function fromTemplate(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Set a text unless it is already set: the user's selection in it stays. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Put these children into `parent` in this order, moving only those that are elsewhere. */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, place) => {
    const there = parent.children[place] ?? null;
    if (there !== child) parent.insertBefore(child, there);
  });
}

/** Show a message, or hide its place if there is no message. */
export function notice(place, text) {
  setText(place, text ?? "");
  place.hidden = !text;
}

/**
 * Return a name as text that shows each of its characters: a mark such as ⟨U+202E⟩ stands for one that
 * is invisible, or that changes the direction of others, and for a space at an end or beside another.
 * Different names give different texts.
 */
export function visible(name) {
  return name.replace(IN_NAMES, markOf);
}

/** Return a text of several words or lines as `visible` does, but with its spaces and line breaks. */
export function visibleText(text) {
  return text.replace(IN_TEXTS, markOf);
}

/** Return an element that shows a name, with its marks set apart. */
export function named(name) {
  const shown = element("bdi");
  showName(shown, name);
  return shown;
}

/** Show a name in `place`, unless it is already there. */
export function showName(place, name) {
  showMarked(place, visible(name));
}

/** Show in `place` what `visible` or `visibleText` returned, unless it is already there. */
export function showMarked(place, text) {
  if (place.textContent === text) return;
  const parts = text.split(MARKS);
  place.replaceChildren(
    ...parts.map((part, at) =>
      at % 2 === 0 ? part : element("span", { className: "point", textContent: part }),
    ),
  );
}

/** Let the style sheet show briefly that this has changed. */
export function mark(node) {
  clearTimeout(marked.get(node));
  node.classList.add("changed");
  // If the user prefers reduced motion, there is no animation whose end could be awaited.
  marked.set(node, setTimeout(() => node.classList.remove("changed"), MARKED));
}

/** Announce something to users of screen readers. */
export function say(text) {
  setText(byId("said"), text);
}

function markOf(character) {
  return `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
}
