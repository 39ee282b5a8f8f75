import type { SearchData } from "./data";

/** The id of the next node of the best path; from a node outside it, the id of its first. */
export function walkBest(data: SearchData, node: number | null): number {
  const path = data.detail?.best_path ?? [];
  const at = node === null ? -1 : path.indexOf(node);
  return path[Math.min(at + 1, path.length - 1)] ?? node ?? 0;
}
