// How strongly each token of a page is tinted, and what is known of it.

import type { NodePage } from "../api/types";

export type Tint = "none" | "logprob" | "entropy" | "importance";

export const LEVELS = 9;
/** Full tint: a probability of 1 %, and an entropy of 3 nats. Fixed, so that two texts can be compared. */
const FULL = { logprob: Math.log(100), entropy: 3 };

/** 0 (none) to LEVELS for each token. Importance is relative to the page's greatest. */
export function levels(page: NodePage, tint: Tint): number[] | null {
  if (tint === "none") return null;
  const values = page.tokens[tint];
  if (!values) return null;
  let full = 0;
  if (tint === "importance") for (const v of values) full = Math.max(full, Math.abs(v ?? 0));
  else full = FULL[tint];
  if (!full) return null;
  return values.map((value) => {
    if (value === null) return 0;
    const share = (tint === "logprob" ? -value : Math.abs(value)) / full;
    return Math.max(0, Math.min(LEVELS, Math.round(share * LEVELS)));
  });
}

/** Where each token's text begins and ends; what stands before the first token is left out. */
export function spans(page: NodePage): [number, number][] {
  const { offset } = page.tokens;
  return offset.map((from, i) => [from, offset[i + 1] ?? page.text.length]);
}

/** Learns the texts of token ids from a page, to name alternatives by. A run keeps ids of alternatives, not their texts. */
export function learn(page: NodePage, said: Map<number, string>): void {
  const { id } = page.tokens;
  spans(page).forEach(([from, to], i) => {
    const token = id[i];
    if (token !== undefined && token >= 0 && to > from && !said.has(token)) said.set(token, page.text.slice(from, to));
  });
}

export interface Alternative {
  id: number;
  logprob: number;
  chosen: boolean;
}

export function alternatives(page: NodePage, index: number): Alternative[] {
  const chosen = page.tokens.id[index];
  return (page.tokens.top?.[index] ?? []).map(([id, logprob]) => ({ id, logprob, chosen: id === chosen }));
}
