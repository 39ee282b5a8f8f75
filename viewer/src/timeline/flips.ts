// The answer that a search held, over what it spent.

import type { Proposal } from "../api/types";

export interface Held {
  from: number;
  to: number;
  value: string | null;
  right: boolean | null;
  confidence: number | null;
  node: number | null;
}

export type Along = "tokens" | "generated" | "seconds";

/** Stretches with one answer each, up to `end`. A proposal of the same answer goes on with the stretch. */
export function held(proposals: Proposal[], along: Along, end: number): Held[] {
  const found: Held[] = [];
  for (const p of proposals) {
    const before = found.at(-1);
    if (before) before.to = p[along];
    if (before && before.value === p.value) {
      before.confidence = p.confidence;
      continue;
    }
    found.push({ from: p[along], to: p[along], value: p.value, right: p.right, confidence: p.confidence, node: p.node });
  }
  const last = found.at(-1);
  if (last) last.to = Math.max(last.to, end);
  return found;
}

export interface Flip {
  at: number;
  from: Held;
  to: Held;
  /** "gained" wrong→right, "lost" right→wrong, "changed" otherwise. */
  kind: "gained" | "lost" | "changed";
}

export function flips(stretches: Held[]): Flip[] {
  return stretches.slice(1).map((to, i) => {
    const from = stretches[i]!;
    const kind = to.right && from.right === false ? "gained" : to.right === false && from.right ? "lost" : "changed";
    return { at: to.from, from, to, kind };
  });
}
