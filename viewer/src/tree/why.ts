// Why a branch went no further: what the method or the recording says of it, in a sentence. The sentences come from the
// file that the terminal reads too.

import words from "../../../src/clew/analysis/fates.json";
import { short } from "../text/number";
import type { Skeleton } from "./skeleton";

/** How a branch ended, as far as the picture tells it by a sign. */
export type Ending = "answer" | "complete" | "cut" | "dropped" | "left";

/** What a node is said to have ended with: `at a step`, … */
export const FINISHES: Record<string, string> = words.finishes;
const FATES: Record<string, string> = words.fates;
const WHOLE: Record<string, string> = words.whole;

/** null for a node that goes on. */
export function ending(tree: Skeleton, place: number, answer: number | undefined): Ending | null {
  if (place === answer) return "answer";
  if (tree.children[place]!.length) return null;
  const fate = tree.fate[place]!;
  if (words.cut.includes(fate)) return "cut";
  if (fate && fate !== "left") return "dropped";
  return tree.finish[place] === "end" || tree.finish[place] === "stop" ? "complete" : "left";
}

/** The score that tells this leaf from the siblings that went on: the one by which they are furthest apart. */
function compared(tree: Skeleton, place: number): string {
  const parent = tree.parent[place]!;
  if (parent < 0) return "";
  const others = tree.children[parent]!.filter((c) => c !== place && tree.children[c]!.length > 0);
  let said = "";
  let widest = 0;
  for (const name of tree.scores.keys()) {
    const own = tree.score(name, place);
    const theirs = others.map((c) => tree.score(name, c)).filter((v): v is number => v !== null);
    if (own === null || !theirs.length) continue;
    const best = Math.max(...theirs);
    const apart = Math.abs(best - own) / (Math.abs(best) + Math.abs(own) || 1);
    if (best <= own || apart <= widest) continue;
    widest = apart;
    const rest = others.length === 1 ? "the sibling that went on has" : `the ${others.length} siblings that went on have up to`;
    said = ` Its ${name} was ${short(own)}; ${rest} ${short(best)}.`;
  }
  return said;
}

/** Empty for a node that went on and of which nothing is said. */
export function why(tree: Skeleton, place: number, answer: number | undefined): string {
  if (place === answer) return words.answer;
  if (answer !== undefined && tree.answer[place] !== null && tree.answer[place] === tree.answer[answer]) {
    return words["same answer"].replace("{}", String(tree.id[answer]));
  }
  const fate = tree.fate[place]!;
  if (fate) return (FATES[fate] ?? words.other.replace("{}", () => fate)) + compared(tree, place);
  if (tree.children[place]!.length) return "";
  return WHOLE[tree.finish[place]!] ?? "";
}
