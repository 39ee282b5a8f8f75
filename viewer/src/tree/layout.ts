// Where each unit is drawn: a tree (d3-hierarchy) that grows to the right, one column a level. Each leaf has a row of its
// own, so the words beside it never cover another node.

import { cluster, hierarchy } from "d3-hierarchy";
import type { Unit, Units } from "./units";

export const ROW = 20;
export const CELL = 11;
const STRIP = 220;
const GAP = 44;
/** About how wide a character of the words is. */
const LETTER = 6.3;
const WORDS = { least: 48, most: 240 };

export interface Box {
  x: number;
  y: number;
  width: number;
  cell: number;
}

export interface Layout {
  /** Room for words right of a unit that goes on; 0 where there is none to spare. */
  words: number;
  boxes: Map<Unit, Box>;
  /** Bounds of all nodes, in the same units, and where the words right of them end. */
  left: number;
  right: number;
  end: number;
  top: number;
  bottom: number;
}

export function stripWidth(nodes: number): number {
  return Math.min(nodes * CELL, Math.max(STRIP, CELL));
}

/** `room`: how wide the picture is; what the tree does not need of it is given to words. */
export function layoutOf(units: Units, room: number): Layout {
  const boxes = new Map<Unit, Box>();
  const bounds = { left: 0, right: 0, end: 0, top: 0, bottom: 0 };
  if (!units.root) return { boxes, words: 0, ...bounds };
  // A level begins where the longest strip of the level before ends.
  const widest: number[] = [];
  for (const unit of units.all) {
    widest[unit.depth] = Math.max(widest[unit.depth] ?? 0, stripWidth(unit.nodes.length));
  }
  const bases = [0];
  widest.forEach((width, level) => (bases[level + 1] = bases[level]! + width + GAP));
  const told = (unit: Unit) => stripWidth(unit.nodes.length) + LETTER * unit.said;
  // The words of inner nodes get what the others leave: each column before a unit moves it to the right by as much.
  let spare = Infinity;
  for (const unit of units.all) if (unit.depth > 1) spare = Math.min(spare, (room - bases[unit.depth]! - told(unit)) / (unit.depth - 1));
  const words = !Number.isFinite(spare) || spare < WORDS.least ? 0 : Math.min(spare, WORDS.most);
  const starts = [0];
  // The root is the prompt, which stands above the tree already: it needs no words.
  widest.forEach((width, level) => (starts[level + 1] = starts[level]! + width + GAP + (level ? words : 0)));
  const root = cluster<Unit>()
    .nodeSize([ROW, 1])
    .separation((a, b) => (a.parent === b.parent ? 1 : 1.25))(hierarchy(units.root, (unit) => unit.children));
  root.each((node) => {
    const width = stripWidth(node.data.nodes.length);
    const box = { x: starts[node.depth]!, y: node.x, width, cell: width / node.data.nodes.length };
    boxes.set(node.data, box);
    bounds.right = Math.max(bounds.right, box.x + width);
    bounds.end = Math.max(bounds.end, box.x + told(node.data));
    bounds.top = Math.min(bounds.top, box.y);
    bounds.bottom = Math.max(bounds.bottom, box.y);
  });
  return { boxes, words, ...bounds };
}

/** The node under a point of the layout, or undefined. */
export function hit(units: Units, layout: Layout, x: number, y: number, slack: number): number | undefined {
  let found: number | undefined;
  let nearest = ROW / 2 + slack;
  for (const unit of units.all) {
    const box = layout.boxes.get(unit)!;
    const away = Math.abs(box.y - y);
    if (away >= nearest || x < box.x - slack || x > box.x + box.width + slack) continue;
    nearest = away;
    const cell = Math.floor((x - box.x) / box.cell);
    found = unit.nodes[Math.max(0, Math.min(unit.nodes.length - 1, cell))];
  }
  return found;
}
