// How a node is coloured, and the legend that says so.

import { interpolateRgbBasis } from "d3-interpolate";
import { scaleQuantize } from "d3-scale";
import type { Colours } from "../palette";
import type { Skeleton } from "./skeleton";

/** "score:NAME", or one of the others. */
export type ColourBy = "origin" | "role" | "finish" | "behaviour" | "born" | "entropy" | "logprob" | "tokens" | `score:${string}`;

export interface Colouring {
  of: (place: number) => string;
  /** Steps from low to high, or null where colours are names. */
  scale: { low: number; high: number; steps: string[] } | null;
  names: { name: string; colour: string }[];
  missing: boolean;
}

const STEPS = 64;

function valuesOf(tree: Skeleton, by: ColourBy): (number | null)[] {
  if (by.startsWith("score:")) return tree.scores.get(by.slice(6)) ?? [];
  return tree[by as "born" | "entropy" | "logprob" | "tokens"];
}

export function colouring(tree: Skeleton, by: ColourBy, colours: Colours): Colouring {
  if (by === "origin" || by === "finish") {
    const table: Record<string, string> = by === "origin" ? colours.origins : colours.finishes;
    const there = new Set<string>(tree[by]);
    const names = Object.entries(table).map(([name, colour]) => ({ name, colour })).filter((n) => there.has(n.name));
    return { of: (place) => table[tree[by][place]!]!, scale: null, names, missing: false };
  }
  if (by === "role") {
    const names = [...tree.roles].map((name, i) => ({ name, colour: colours.series[i % colours.series.length]! }));
    const table = new Map(names.map(({ name, colour }) => [name, colour]));
    return { of: (place) => table.get(tree.role[place]!)!, scale: null, names, missing: false };
  }
  if (by === "behaviour") {
    const table: Record<string, string> = colours.behaviours;
    const there = new Set(tree.behaviours.flat());
    const names = Object.entries(table).map(([name, colour]) => ({ name, colour })).filter((n) => there.has(n.name));
    // A node that does several things shows the rarest of them: calculation is everywhere, backtracking is news.
    const counts = new Map<string, number>();
    for (const name of tree.behaviours.flat()) counts.set(name, (counts.get(name) ?? 0) + 1);
    const rarest = (found: string[]) => found.reduce((a, b) => (counts.get(b)! < counts.get(a)! ? b : a));
    const of = (place: number) => {
      const found = tree.behaviours[place]!;
      return found.length ? (table[rarest(found)] ?? colours.none) : colours.rule;
    };
    return { of, scale: null, names, missing: tree.behaviours.some((b) => b.length === 0) };
  }
  const values = valuesOf(tree, by);
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value === null) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const blend = interpolateRgbBasis(colours.scale);
  const steps = Array.from({ length: STEPS }, (_, i) => blend(i / (STEPS - 1)));
  const scale = scaleQuantize<string>().domain(high > low ? [low, high] : [low - 1, low + 1]).range(steps);
  const of = (place: number) => {
    const value = values[place];
    return value == null ? colours.rule : scale(value);
  };
  const missing = values.length < tree.length || values.includes(null);
  return { of, scale: high >= low ? { low, high, steps } : null, names: [], missing };
}
