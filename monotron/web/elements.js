/** Elements of the page. Content is always shown as text: nothing here parses HTML. */

/** Longer than the style sheet's animation. */
const MARKED = 2000;

/** The timer of each marked node. */
const marked = new WeakMap();

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

/** Return a name as visible text: a name of only blank characters becomes their code points. */
export function visible(name) {
  if (!/^[\p{Z}\p{C}\p{Default_Ignorable_Code_Point}]*$/u.test(name)) return name;
  const points = [...name].map((each) => each.codePointAt(0).toString(16).toUpperCase());
  return `(${points.map((point) => `U+${point.padStart(4, "0")}`).join(" ")})`;
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
