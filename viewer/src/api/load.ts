// The lists of a run, loaded page by page.

import { get } from "./get";
import { addProblems, addResults, newTables, type Tables } from "./tables";
import type { ProblemColumns, ResultColumns, Run } from "./types";

/** Loads both lists; `step` is told after each page. Problems come first, because searches are hung on them. */
export async function loadTables(run: Run, step: (tables: Tables) => void): Promise<Tables> {
  const tables = newTables(run);
  for (let after: number | null = -1; after !== null; ) {
    const page: ProblemColumns = await get(`runs/${run.index}/problems?after=${after}`);
    addProblems(tables, page);
    after = page.next;
  }
  step(tables);
  for (let after: number | null = -1; after !== null; ) {
    const page: ResultColumns = await get(`runs/${run.index}/results?after=${after}`);
    addResults(tables, page);
    after = page.next;
    step(tables);
  }
  for (const problem of tables.problems) problem.searches.sort((a, b) => a.method - b.method || a.seed - b.seed);
  tables.complete = true;
  return tables;
}
