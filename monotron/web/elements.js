/** Elements of the page. What is shown is always text: nothing here reads HTML. */

/** Longer than the style sheet's animation. */
const MARKED = 2000;

/** The timer of each node that is marked. */
const marked = new WeakMap();

export function byId(id) {
  return document.getElementById(id);
}

/** Give a copy of the one element in a `<template>`. */
export function fromTemplate(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Set a text, unless it is there already: what the user has selected in it stays selected. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Put these children into `parent` in this order, and touch only those that are elsewhere. */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, place) => {
    const there = parent.children[place] ?? null;
    if (there !== child) parent.insertBefore(child, there);
  });
}

/** Show a message, or hide its place where there is none. */
export function notice(place, text) {
  setText(place, text ?? "");
  place.hidden = !text;
}

/** Give a name as text that can be seen: one of blanks alone says which ones. */
export function visible(name) {
  if (!/^[\p{Z}\p{C}\p{Default_Ignorable_Code_Point}]*$/u.test(name)) return name;
  const points = [...name].map((each) => each.codePointAt(0).toString(16).toUpperCase());
  return `(${points.map((point) => `U+${point.padStart(4, "0")}`).join(" ")})`;
}

/** Let the style sheet show for a moment that this has changed. */
export function mark(node) {
  clearTimeout(marked.get(node));
  node.classList.add("changed");
  // Where the user wants no motion there is no animation whose end would tell.
  marked.set(node, setTimeout(() => node.classList.remove("changed"), MARKED));
}

/** Say something to who cannot see it. */
export function say(text) {
  setText(byId("said"), text);
}
