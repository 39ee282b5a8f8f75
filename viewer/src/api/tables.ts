// The lists of a run, as rows.

import type { ProblemColumns, ResultColumns, Run, Status } from "./types";

export interface Search {
  id: number;
  problem: number;
  method: number;
  seed: number;
  status: Status;
  value: string | null;
  grade: number | null;
  confidence: number | null;
  tokens: number;
  generated: number;
  seconds: number;
  nodes: number;
  error: string;
}

export interface Problem {
  number: number;
  id: string;
  family: string;
  difficulty: number | null;
  question: string;
  reference: string | null;
  searches: Search[];
}

export interface Tables {
  run: Run;
  problems: Problem[];
  byNumber: Map<number, Problem>;
  searches: Map<number, Search>;
  complete: boolean;
}

export function newTables(run: Run): Tables {
  return { run, problems: [], byNumber: new Map(), searches: new Map(), complete: false };
}

export function addProblems(tables: Tables, page: ProblemColumns): void {
  page.number.forEach((number, i) => {
    const problem: Problem = {
      number,
      id: page.id[i]!,
      family: page.family[i]!,
      difficulty: page.difficulty[i] ?? null,
      question: page.question[i]!,
      reference: page.reference[i] ?? null,
      searches: [],
    };
    tables.problems.push(problem);
    tables.byNumber.set(number, problem);
  });
}

export function addResults(tables: Tables, page: ResultColumns): void {
  page.id.forEach((id, i) => {
    const search: Search = {
      id,
      problem: page.problem[i]!,
      method: page.method[i]!,
      seed: page.seed[i]!,
      status: page.status[i]!,
      value: page.value[i] ?? null,
      grade: page.grade[i] ?? null,
      confidence: page.confidence[i] ?? null,
      tokens: page.tokens[i]!,
      generated: page.generated[i]!,
      seconds: page.seconds[i]!,
      nodes: page.nodes[i]!,
      error: page.error[i]!,
    };
    tables.searches.set(id, search);
    tables.byNumber.get(search.problem)?.searches.push(search);
  });
}

/** The problem beside this search's (step +1 or -1), and there the search of the same method and seed, or the nearest. */
export function neighbour(tables: Tables, search: Search, step: number): Search | null {
  const at = tables.problems.findIndex((p) => p.number === search.problem);
  for (let i = at + step; i >= 0 && i < tables.problems.length; i += step) {
    const found = tables.problems[i]!.searches;
    const same = found.find((s) => s.method === search.method && s.seed === search.seed);
    const near = same ?? found.find((s) => s.method === search.method) ?? found[0];
    if (near) return near;
  }
  return null;
}

/** Whether the problems are of different difficulty. */
export function differ(tables: Tables): boolean {
  return tables.problems.some((p) => p.difficulty !== tables.problems[0]!.difficulty);
}
