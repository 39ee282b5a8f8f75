// Why a branch went no further, as far as the recording says.

import { short } from "../text/number";
import type { Skeleton } from "./skeleton";

export type Fate = "answer" | "complete" | "cut" | "cancelled" | "left" | "unasked";

/** A leaf's fate; null for a node that has children. */
export function fate(tree: Skeleton, place: number, answer: number | undefined): Fate | null {
  if (place === answer) return "answer";
  if (tree.children[place]!.length) return null;
  switch (tree.finish[place]) {
    case "end":
    case "stop":
      return "complete";
    case "length":
      return "cut";
    case "cancelled":
      return "cancelled";
    default:
      return tree.origin[place] === "sampled" ? "left" : "unasked";
  }
}

/** The score that tells this leaf from the siblings that went on: the one by which they are furthest apart. */
function compared(tree: Skeleton, place: number): string {
  const parent = tree.parent[place]!;
  if (parent < 0) return "";
  const others = tree.children[parent]!.filter((c) => c !== place && tree.children[c]!.length > 0);
  if (!others.length) return "";
  let said = "";
  let widest = 0;
  for (const name of tree.scores.keys()) {
    const own = tree.score(name, place);
    const theirs = others.map((c) => tree.score(name, c)).filter((v): v is number => v !== null);
    if (own === null || !theirs.length) continue;
    const best = Math.max(...theirs);
    const apart = Math.abs(best - own) / (Math.abs(best) + Math.abs(own) || 1);
    if (best > own && apart > widest) {
      widest = apart;
      said = ` Its ${name} was ${short(own)}; of ${others.length === 1 ? "the sibling" : `${others.length} siblings`} that went on it was ${others.length === 1 ? "" : "up to "}${short(best)}.`;
    }
  }
  return said;
}

/** One or two sentences for the details of a leaf; empty for a node that goes on. */
export function why(tree: Skeleton, place: number, answer: number | undefined, spent: number): string {
  switch (fate(tree, place, answer)) {
    case "answer":
      return "The answer was read from here.";
    case "complete":
      return tree.finish[place] === "stop"
        ? "Ended at a stop string: a complete solution that was not the answer."
        : "The model ended its text: a complete solution that was not the answer." + compared(tree, place);
    case "cut":
      return "Cut off: it reached the longest solution allowed, or the end of the model’s context.";
    case "cancelled":
      // Cancelled while the last tokens of the budget were spent: the budget is the cause. Else the method gave it up.
      return tree.born[place]! + tree.tokens[place]! >= 0.97 * spent
        ? "Stopped before its end when the budget ran out."
        : "Given up by the method before its end.";
    case "left":
      return (
        "Never continued: the search went on elsewhere." +
        compared(tree, place) +
        (tree.born[place]! >= 0.97 * spent ? " It was made with the last of the budget." : "")
      );
    case "unasked":
      return "Nothing was sampled from here.";
    default:
      return "";
  }
}
