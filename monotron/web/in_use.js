/** Whether somebody is at work in a part of the page, so that nothing in it may move. */

/** Without a key or the pointer for so long, nobody is about to click. */
const AT_REST = 30_000;

/**
 * Watch a part of the page, and call `left` whenever nobody uses it any more. Returns a function that
 * says whether it is used: somebody has selected text in it; or the pointer or the focus is in it, and
 * has lately done something.
 */
export function watchUse(part, left) {
  let pointed = false;
  let active = -Infinity;
  let timer = null;

  const selected = () => {
    const selection = getSelection();
    return !selection.isCollapsed && selection.containsNode(part, true);
  };
  const near = () => pointed || part.contains(document.activeElement);
  const used = () => selected() || (near() && performance.now() - active < AT_REST);
  const check = () => {
    if (!used()) left();
  };
  const act = () => {
    active = performance.now();
    clearTimeout(timer);
    timer = setTimeout(check, AT_REST);
  };

  part.addEventListener("pointermove", () => {
    pointed = true;
    act();
  });
  part.addEventListener("pointerdown", () => {
    pointed = true;
    act();
  });
  part.addEventListener("pointerleave", ({ pointerType }) => {
    // A finger that has left is often about to come back.
    if (pointerType === "touch") return;
    pointed = false;
    check();
  });
  part.addEventListener("focusin", act);
  // While it is told, nothing has the focus yet.
  part.addEventListener("focusout", () => setTimeout(check));
  document.addEventListener("keydown", () => {
    if (near()) act();
  });
  document.addEventListener("selectionchange", check);
  return used;
}
