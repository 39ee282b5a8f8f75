// Where each key leads from a node. Only what is drawn can be walked to.

import type { Skeleton } from "./skeleton";
import { last, type Units } from "./units";

export type Step = "parent" | "child" | "up" | "down" | "best" | "first" | "end";

export function walk(
  tree: Skeleton,
  units: Units,
  rows: (place: number) => number,
  best: readonly number[],
  from: number,
  step: Step,
): number {
  switch (step) {
    case "first":
      return 0;
    case "parent":
      return Math.max(0, tree.parent[from]!);
    case "child": {
      const shown = tree.children[from]!.filter((c) => units.at[c]);
      return shown.find((c) => best.includes(c)) ?? shown[0] ?? from;
    }
    case "best": {
      // From a side branch, the nearest node of the best path; from there on, one node at a time.
      const at = best.indexOf(from);
      if (at >= 0) return best[Math.min(at + 1, best.length - 1)]!;
      return tree.path(from).reverse().find((p) => best.includes(p)) ?? best[0] ?? from;
    }
    case "end": {
      return best.at(-1) ?? from;
    }
    default:
      return beside(tree, units, rows, from, step);
  }
}

/** The nearest drawn unit above or below in the same column; its cell at the same distance from the chain's top. */
function beside(tree: Skeleton, units: Units, rows: (place: number) => number, from: number, step: "up" | "down"): number {
  const unit = units.at[from];
  if (!unit) return from;
  const siblings = tree.parent[unit.nodes[0]!]!;
  const sign = step === "up" ? -1 : 1;
  const row = rows(from);
  let found = from;
  let nearest = Infinity;
  for (const other of units.all) {
    if (other.depth !== unit.depth || other === unit) continue;
    const apart = sign * (rows(last(other)) - row);
    if (apart > 0 && apart < nearest) {
      nearest = apart;
      found = other.nodes[Math.min(unit.nodes.indexOf(from), other.nodes.length - 1)]!;
    }
  }
  return siblings < 0 ? from : found;
}
