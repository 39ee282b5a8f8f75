// One listener for all shortcuts. The part that registered last is asked first.

import { useLayoutEffect, useRef } from "preact/hooks";

export type Keys = Record<string, (event: KeyboardEvent) => void>;

const asked: { current: Keys }[] = [];

const WRITES = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]";
const PRESSES = "button, a[href], summary, input, label";

function listen(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]")) return;
  const target = event.target instanceof Element ? event.target : document.body;
  if (target.closest(WRITES)) {
    if (event.key !== "Escape") return;
    (target as HTMLElement).blur();
    event.preventDefault();
    return;
  }
  // Enter and Space keep their meaning on what can be pressed.
  if ((event.key === "Enter" || event.key === " ") && target.closest(PRESSES)) return;
  for (let i = asked.length - 1; i >= 0; i--) {
    const act = asked[i]!.current[event.key];
    if (!act) continue;
    event.preventDefault();
    act(event);
    return;
  }
}

document.addEventListener("keydown", listen);

/** These keys work as long as the component is shown and `active`. */
export function useKeys(keys: Keys, active = true): void {
  const held = useRef(keys);
  held.current = keys;
  // Before the next key: an effect would come after the next frame.
  useLayoutEffect(() => {
    if (!active) return;
    asked.push(held);
    return () => void asked.splice(asked.indexOf(held), 1);
  }, [active]);
}

export const HELP: [string, [string, string][]][] = [
  [
    "Everywhere",
    [
      ["?", "this help"],
      ["Esc", "back: from the text to the tree, from there to the list"],
      ["/", "filter"],
      ["j  k", "next, previous problem"],
      ["d", "light or dark"],
    ],
  ],
  [
    "List of problems",
    [
      ["↓  ↑", "next, previous row"],
      ["→  ←", "next, previous search of the row"],
      ["Enter", "open the search"],
      ["c", "this search and the next method’s side by side"],
    ],
  ],
  [
    "One search",
    [
      ["1  2  3", "tree, text, timeline"],
      ["[  ]", "previous, next search of the same problem"],
      ["c", "compare it with another"],
      ["b", "follow the best path, node by node"],
    ],
  ],
  [
    "Tree",
    [
      ["←  →", "parent, child"],
      ["↑  ↓", "the branch above, below"],
      ["Home  End", "root, answer"],
      ["Space", "open or close the branch"],
      ["e  E", "open all, close to the best path"],
      ["+  −  f", "zoom in, out, fit"],
      ["Enter", "read the text up to this node"],
    ],
  ],
  ["Text", [["→  ←", "next, previous token"], ["↓  ↑", "scroll"]]],
  ["Side by side", [["Tab", "to the other side"], ["j  k", "both to the next, previous problem"]]],
];
