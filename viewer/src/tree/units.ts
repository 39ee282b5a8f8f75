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
  /** The share of the search's tokens that was spent on what is hidden. */
  spent: number;
  /** How many siblings that ended alike it stands for, itself not counted. */
  alike: number;
  /** Whether anything hangs below. */
  forks: boolean;
  /** About how many characters stand right of it; 0 where its branches do. */
  said: number;
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

/** So many characters of a node's text have room beside it, besides what says how its branch ended or what it hides. */
const MOST_SAID = 36;
const SIGNS = { leaf: 8, closed: 30 };

/** From so many siblings that ended alike one is drawn for all. */
const ALIKE = 4;

/** How the chain that begins at `first` ended: by its answer, else by why it was left; null where it forks or neither. */
function ended(tree: Skeleton, first: number): string | null {
  const end = chain(tree, first).at(-1)!;
  if (tree.children[end]!.length) return null;
  if (tree.answer[end] !== null) return `answer ${tree.answer[end]}`;
  return tree.fate[end] ? `fate ${tree.fate[end]}` : null;
}

/** Sibling → how many others it stands for. Those that ended alike are one: that of the best path, else the first. */
function folded(tree: Skeleton, siblings: number[], best: ReadonlySet<number>): Map<number, number> {
  const groups = new Map<string, number[]>();
  const found = new Map(siblings.map((place) => [place, 0]));
  for (const place of siblings) {
    const how = ended(tree, place);
    if (how !== null) groups.set(how, [...(groups.get(how) ?? []), place]);
  }
  for (const group of groups.values()) {
    if (group.length < ALIKE) continue;
    const kept = group.find((place) => best.has(place)) ?? group[0]!;
    for (const place of group) if (place !== kept) found.delete(place);
    found.set(kept, group.length - 1);
  }
  return found;
}

/**
 * Forks that are open at first: those of the best path, then level by level as long as all fits into so many rows. So a
 * great tree tells its story first, and what was spent elsewhere stands beside what is closed.
 */
export function openAtFirst(tree: Skeleton, best: ReadonlySet<number>, rows: number): Set<number> {
  const open = new Set<number>();
  if (!tree.length) return open;
  let shown = 1;
  const added = (end: number) => folded(tree, tree.children[end]!, best).size - 1;
  for (const place of best) {
    if (tree.children[place]!.length < 1 || chain(tree, place).at(-1) !== place) continue;
    open.add(place);
    shown += added(place);
  }
  let level = [0];
  while (level.length) {
    const below: number[] = [];
    for (const first of level) {
      const end = chain(tree, first).at(-1)!;
      if (!tree.children[end]!.length) continue;
      if (!open.has(end)) {
        if (shown + added(end) > rows) continue;
        open.add(end);
        shown += added(end);
      }
      below.push(...folded(tree, tree.children[end]!, best).keys());
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

/**
 * The units to be drawn. `isOpen` says of a chain's last place whether its children are shown, `unfolded` has those
 * whose children are all shown, alike or not.
 */
export function unitsOf(
  tree: Skeleton,
  isOpen: (place: number) => boolean,
  best: ReadonlySet<number>,
  unfolded: ReadonlySet<number>,
): Units {
  const found: Units = { root: null, all: [], at: new Array<Unit | undefined>(tree.length), shownNodes: 0 };
  if (!tree.length) return found;
  const below = tree.below();
  const spent = tree.spentBelow();
  const make = (first: number, parent: Unit | null, alike: number): Unit => {
    const nodes = chain(tree, first);
    const unit: Unit = { nodes, children: [], parent, depth: parent ? parent.depth + 1 : 0, hidden: 0, spent: 0, alike, forks: false, said: 0 };
    unit.forks = tree.children[last(unit)]!.length > 0;
    for (const node of nodes) found.at[node] = unit;
    found.all.push(unit);
    found.shownNodes += nodes.length;
    return unit;
  };
  found.root = make(0, null, 0);
  for (let i = 0; i < found.all.length; i++) {
    const unit = found.all[i]!;
    const end = last(unit);
    if (!unit.forks) continue;
    if (!isOpen(end)) {
      unit.hidden = below[end]!;
      unit.spent = spent[end]! / Math.max(1, spent[0]!);
      continue;
    }
    const children = tree.children[end]!;
    const kept = unfolded.has(end) ? new Map(children.map((child) => [child, 0])) : folded(tree, children, best);
    unit.children = [...kept].map(([child, alike]) => make(child, unit, alike));
  }
  for (const unit of found.all) {
    const words = Math.min(MOST_SAID, tree.text[last(unit)]!.length);
    unit.said = unit.hidden ? SIGNS.closed + words : unit.children.length ? 0 : SIGNS.leaf + words;
  }
  return found;
}
