// How a node is coloured, and the legend that says so.

import { interpolateRgbBasis } from "d3-interpolate";
import { scaleQuantize } from "d3-scale";
import type { Colours } from "../palette";
import { line } from "../text/visible";
import type { Skeleton } from "./skeleton";

/** "score:NAME", or one of the others. */
export type ColourBy = "answer" | "origin" | "role" | "finish" | "behaviour" | "born" | "entropy" | "logprob" | "tokens" | `score:${string}`;

export interface Colouring {
  of: (place: number) => string;
  /** Steps from low to high, or null where colours are names. */
  scale: { low: number; high: number; steps: string[] } | null;
  names: { name: string; colour: string }[];
  missing: boolean;
}

const STEPS = 64;

/** Below a node, solutions state different answers. */
const SEVERAL = Symbol("several answers");

/** What the solutions through each place state: one answer, several, or none (null). */
function stated(tree: Skeleton): (string | null | typeof SEVERAL)[] {
  const found: (string | null | typeof SEVERAL)[] = [...tree.answer];
  for (let place = tree.length - 1; place > 0; place--) {
    const parent = tree.parent[place]!;
    const own = found[place]!;
    if (parent < 0 || own === null) continue;
    found[parent] = found[parent] === null || found[parent] === own ? own : SEVERAL;
  }
  return found;
}

/**
 * Each answer in a colour of its own: that of node `star` first, then the most frequent; an inner node in that of all
 * solutions through it.
 */
function byAnswer(tree: Skeleton, colours: Colours, star: number | null): Colouring {
  const held = tree.answer[tree.place(star) ?? -1];
  const counts = new Map<string, number>();
  for (const answer of tree.answer) if (answer !== null) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  const ranked = [...counts].sort((a, b) => Number(b[0] === held) - Number(a[0] === held) || b[1] - a[1]);
  const table = new Map(ranked.slice(0, colours.series.length).map(([answer], i) => [answer, colours.series[i]!]));
  const names = [...table].map(([answer, colour]) => ({ name: `${line(answer, 24)} ×${counts.get(answer)}`, colour }));
  const rest = ranked.length - table.size;
  if (rest > 0) names.push({ name: `${rest} other${rest > 1 ? "s" : ""}`, colour: colours.none });
  const through = stated(tree);
  if (through.includes(SEVERAL)) names.push({ name: "several", colour: colours.muted });
  const of = (place: number) => {
    const said = through[place]!;
    return said === null ? colours.rule : said === SEVERAL ? colours.muted : (table.get(said) ?? colours.none);
  };
  return { of, scale: null, names, missing: through.includes(null) };
}

function valuesOf(tree: Skeleton, by: ColourBy): (number | null)[] {
  if (by.startsWith("score:")) return tree.scores.get(by.slice(6)) ?? [];
  return tree[by as "born" | "entropy" | "logprob" | "tokens"];
}

/** `star`: the node that held the answer first. */
export function colouring(tree: Skeleton, by: ColourBy, colours: Colours, star: number | null): Colouring {
  if (by === "answer") return byAnswer(tree, colours, star);
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
