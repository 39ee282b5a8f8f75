// Which problems are listed, and in which order. A problem is listed when one of its searches meets all conditions on
// searches together.

import type { Problem, Search, Tables } from "../api/tables";

export type Outcome = "any" | "right" | "wrong" | "none" | "failed" | "differ";

export interface Filter {
  text: string;
  method: number | null;
  outcome: Outcome;
  status: string;
  family: string;
  difficulty: [number | null, number | null];
  tokens: [number | null, number | null];
}

export const NO_FILTER: Filter = {
  text: "", method: null, outcome: "any", status: "", family: "", difficulty: [null, null], tokens: [null, null],
};

export type Mark = "right" | "wrong" | "part" | "none" | "failed" | "ungraded";

export function mark(search: Search): Mark {
  if (search.error) return "failed";
  if (search.value === null) return "none";
  if (search.grade === null) return "ungraded";
  return search.grade >= 1 ? "right" : search.grade <= 0 ? "wrong" : "part";
}

function within(value: number | null, [low, high]: [number | null, number | null]): boolean {
  if (low === null && high === null) return true;
  return value !== null && (low === null || value >= low) && (high === null || value <= high);
}

function kept(search: Search, f: Filter): boolean {
  if (f.method !== null && search.method !== f.method) return false;
  if (f.status && search.status !== f.status) return false;
  if (!within(search.tokens, f.tokens)) return false;
  switch (f.outcome) {
    case "right":
    case "none":
    case "failed":
      return mark(search) === f.outcome;
    case "wrong":
      return ["wrong", "part"].includes(mark(search));
    default:
      return true;
  }
}

/** Whether some searches of the problem are right and others are not. */
export function differ(problem: Problem): boolean {
  const right = problem.searches.filter((s) => mark(s) === "right").length;
  return right > 0 && right < problem.searches.length;
}

function says(problem: Problem, words: string[]): boolean {
  const whole = [problem.id, problem.question, problem.reference ?? "", problem.family].join("\n").toLowerCase();
  return words.every((w) => whole.includes(w) || problem.searches.some((s) => s.value?.toLowerCase().includes(w)));
}

export function filtered(tables: Tables, f: Filter): Problem[] {
  const words = f.text.toLowerCase().split(/\s+/).filter(Boolean);
  const onSearches = f.method !== null || f.status !== "" || f.outcome !== "any" || f.tokens.some((t) => t !== null);
  return tables.problems.filter(
    (p) =>
      (!f.family || p.family === f.family) &&
      within(p.difficulty, f.difficulty) &&
      (f.outcome !== "differ" || differ(p)) &&
      (!onSearches || p.searches.some((s) => kept(s, f))) &&
      (words.length === 0 || says(p, words)),
  );
}

export type Key = "number" | "id" | "difficulty" | "right" | "tokens" | "nodes" | "seconds";

export interface Order {
  key: Key;
  down: boolean;
}

export function mean(values: number[]): number | null {
  return values.length ? values.reduce((a, b) => a + b, 0) / values.length : null;
}

export function measure(problem: Problem, key: Key, method: number | null): number | string | null {
  const searches = method === null ? problem.searches : problem.searches.filter((s) => s.method === method);
  switch (key) {
    case "number":
      return problem.number;
    case "id":
      return problem.id;
    case "difficulty":
      return problem.difficulty;
    case "right":
      return mean(searches.filter((s) => !s.error).map((s) => s.grade ?? 0));
    default:
      return mean(searches.map((s) => s[key]));
  }
}

/** Problems without the measure come last, whichever way. Equal ones keep the run's order. */
export function sorted(problems: Problem[], order: Order, method: number | null): Problem[] {
  const sign = order.down ? -1 : 1;
  const rows = problems.map((p) => [measure(p, order.key, method), p] as const);
  rows.sort(([a, p], [b, q]) => {
    if (a === null || b === null) return Number(a === null) - Number(b === null) || p.number - q.number;
    const apart = typeof a === "string" ? a.localeCompare(b as string, "en", { numeric: true }) : a - (b as number);
    return sign * apart || p.number - q.number;
  });
  return rows.map(([, p]) => p);
}
