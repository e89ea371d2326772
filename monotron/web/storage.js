/** What the browser keeps: for this tab until it is closed, or on this machine. */

import { BASE } from "./address.js";

export const tab = keeper(() => sessionStorage);
export const machine = keeper(() => localStorage);

function keeper(open) {
  const store = opened(open);
  return {
    /** Return what was kept under this name, or null. */
    read(name) {
      return parsed(store?.getItem(place(name)) ?? null);
    },

    /** Keep something; return whether it is there. */
    write(name, content) {
      if (!store) return false;
      try {
        store.setItem(place(name), JSON.stringify(content));
        return true;
      } catch (error) {
        // No room, or none allowed.
        if (error instanceof DOMException) return false;
        throw error;
      }
    },

    remove(name) {
      store?.removeItem(place(name));
    },

    /** Call `then` when another tab has removed this. */
    onRemoved(name, then) {
      addEventListener("storage", ({ key, newValue, storageArea }) => {
        const ours = storageArea === store && (key === place(name) || key === null);
        if (ours && newValue === null) then();
      });
    },
  };
}

// Behind a proxy, several monotrons may share a host: none may get what another's page keeps.
function place(name) {
  return `monotron.${name} ${BASE.pathname}`;
}

// Something else may have written there. Asking again is better than a page that never opens.
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

// A browser that blocks storage has none: then only the page itself remembers.
function opened(open) {
  try {
    return open();
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}
