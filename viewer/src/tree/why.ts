// Why a branch went no further: what the method or the recording says of it, in a sentence.

import { short } from "../text/number";
import type { Skeleton } from "./skeleton";

/** How a branch ended, as far as the picture tells it by a sign. */
export type Ending = "answer" | "complete" | "cut" | "dropped" | "left";

const CUT = ["truncated", "cut by the budget"];

/** null for a node that goes on. */
export function ending(tree: Skeleton, place: number, answer: number | undefined): Ending | null {
  if (place === answer) return "answer";
  if (tree.children[place]!.length) return null;
  const fate = tree.fate[place]!;
  if (CUT.includes(fate)) return "cut";
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

const SAID: Record<string, string> = {
  truncated: "Cut off: it reached the longest solution allowed, or the end of the model’s context.",
  "cut by the budget": "Stopped before its end when the budget ran out.",
  "given up": "Given up by the method before its end.",
  rewound: "The search went back from here: another node repeats its beginning and goes on differently.",
  left: "Never continued: the search went on elsewhere.",
};

/** Empty for a node that went on and of which nothing is said. */
export function why(tree: Skeleton, place: number, answer: number | undefined): string {
  if (place === answer) return "The answer was read from here first.";
  if (answer !== undefined && tree.answer[place] !== null && tree.answer[place] === tree.answer[answer]) {
    return `States the answer too; the search held it first at node ${tree.id[answer]}.`;
  }
  const fate = tree.fate[place]!;
  if (fate) return (SAID[fate] ?? `The method says: ${fate}.`) + compared(tree, place);
  if (tree.children[place]!.length) return "";
  if (tree.finish[place] === "end") return "The model ended its text: a whole solution that was not the answer.";
  if (tree.finish[place] === "stop") return "Ended at a stop string: a whole solution that was not the answer.";
  return "";
}
