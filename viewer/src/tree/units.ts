// What is drawn: a unit is a chain of nodes without forks, shown as one strip of cells. A collapsed unit hides what
// hangs below it.

import type { Skeleton } from "./skeleton";

export interface Unit {
  /** Places of the chain's nodes, from its top to its fork or leaf. */
  nodes: number[];
  children: Unit[];
  parent: Unit | null;
  depth: number;
  /** Nodes that are hidden below because the unit is collapsed. */
  hidden: number;
  /** Whether anything hangs below. */
  forks: boolean;
}

export function last(unit: Unit): number {
  return unit.nodes[unit.nodes.length - 1]!;
}

/** The chain that begins at `first`. A node of another origin begins a chain of its own: the prompt stays by itself. */
function chain(tree: Skeleton, first: number): number[] {
  const nodes = [first];
  for (let at = first; ; ) {
    const children = tree.children[at]!;
    if (children.length !== 1 || tree.origin[at] === "prompt") return nodes;
    at = children[0]!;
    nodes.push(at);
  }
}

/** Units that are open at first: as many as the eye can take, level by level, and always those of the best path. */
export function openAtFirst(tree: Skeleton, best: ReadonlySet<number>, limit: number): Set<number> {
  const open = new Set<number>();
  let shown = 1;
  let level = tree.length ? [0] : [];
  while (level.length) {
    const below: number[] = [];
    for (const first of level) {
      const end = chain(tree, first).at(-1)!;
      const children = tree.children[end]!;
      if (!children.length || (shown + children.length > limit && !best.has(end))) continue;
      open.add(end);
      shown += children.length;
      below.push(...children);
    }
    level = below;
  }
  return open;
}

export interface Units {
  root: Unit | null;
  /** In drawing order: parents before children. */
  all: Unit[];
  /** Which unit shows a place; undefined where it is hidden. */
  at: (Unit | undefined)[];
  shownNodes: number;
}

/** The units to be drawn. `isOpen` says of a chain's last place whether its children are shown. */
export function unitsOf(tree: Skeleton, isOpen: (place: number) => boolean): Units {
  const found: Units = { root: null, all: [], at: new Array<Unit | undefined>(tree.length), shownNodes: 0 };
  if (!tree.length) return found;
  const below = tree.below();
  const make = (first: number, parent: Unit | null): Unit => {
    const nodes = chain(tree, first);
    const unit: Unit = { nodes, children: [], parent, depth: parent ? parent.depth + 1 : 0, hidden: 0, forks: false };
    unit.forks = tree.children[last(unit)]!.length > 0;
    for (const node of nodes) found.at[node] = unit;
    found.all.push(unit);
    found.shownNodes += nodes.length;
    return unit;
  };
  found.root = make(0, null);
  for (let i = 0; i < found.all.length; i++) {
    const unit = found.all[i]!;
    const end = last(unit);
    if (!unit.forks) continue;
    if (isOpen(end)) unit.children = tree.children[end]!.map((child) => make(child, unit));
    else unit.hidden = below[end]!;
  }
  return found;
}
