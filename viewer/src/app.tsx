// The frame around all pages: which run, which page, the switch of the theme, help and export.

import { useEffect, useState } from "preact/hooks";
import { exported, get } from "./api/get";
import { loadTables } from "./api/load";
import { newTables, type Tables } from "./api/tables";
import type { Run } from "./api/types";
import { ProblemsPage } from "./list/page";
import { switchTheme, useTheme } from "./palette";
import { ReportPage } from "./report/page";
import { RunsPage } from "./runs/page";
import { format, go, useRoute, type Route } from "./route";
import { compare, SearchPage } from "./search/page";
import { SplitPage } from "./split/page";
import { Empty, Line, Trouble, useAnswer } from "./ui/bits";
import { Export, Help, type Exportable } from "./ui/dialogs";
import { useKeys } from "./ui/keys";

const known = new Map<number, Tables>();

/** The lists of one run; redraws while they come. */
function useTables(runs: Run[] | null, wanted: number[]): { error: unknown } {
  const [, redraw] = useState(0);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    for (const index of wanted) {
      const run = runs?.find((r) => r.index === index);
      if (!run || known.has(index)) continue;
      known.set(index, newTables(run));
      const step = (tables: Tables) => {
        known.set(index, tables);
        redraw((n) => n + 1);
      };
      loadTables(run, step).then(step, setError);
    }
  }, [runs, wanted.join()]);
  return { error };
}

function runsOf(route: Route, runs: Run[] | null): number[] {
  // Side by side can lead to any run; each is loaded when the page is first shown.
  if (route.page === "split") return (runs ?? []).map((r) => r.index);
  return [route.run];
}

export function App() {
  const route = useRoute();
  const theme = useTheme();
  const { value: runs, error } = useAnswer(() => get<Run[]>("runs"), []);
  const tables = useTables(runs, runsOf(route, runs));
  const [help, setHelp] = useState(false);
  const [exporting, setExporting] = useState(false);
  const [listed, setListed] = useState<string[]>([]);
  useKeys({ "?": () => setHelp(true), d: switchTheme });
  const run = runs?.find((r) => r.index === route.run);
  // The run that this one is compared with: the one asked for, else the next.
  const other = route.page === "runs" ? runs?.find((r) => r.index === route.other) : undefined;
  const beside = other && other !== run ? other : runs?.find((r) => r.index > route.run) ?? runs?.find((r) => r !== run);
  useEffect(() => {
    document.title = run ? `${run.name} – clew` : "clew";
  }, [run]);
  if (error) return <Trouble error={error} />;
  if (!runs) return <Empty>Opening…</Empty>;
  if (!run) return <Trouble error="There is no such run." />;
  const here = known.get(route.run);
  const current = route.page === "search" && here ? here.searches.get(route.result) : undefined;
  const choices = (): Exportable[] => {
    const problem = current && here?.byNumber.get(current.problem);
    const all = here?.problems.map((p) => p.id) ?? [];
    const found: Exportable[] = problem ? [{ name: "This problem", ids: [problem.id] }] : [];
    if (listed.length && listed.length < all.length) found.push({ name: "The problems that are listed", ids: listed });
    return [...found, { name: "All problems", ids: all }];
  };
  const split = () => {
    const first = current ?? here?.problems.find((p) => p.searches.length)?.searches[0];
    if (here && first) compare(here, first, "tree");
  };
  const at = (page: Route["page"]) => (route.page === page ? "page" : undefined);
  return (
    <>
      <header class="top">
        <b class="brand">clew</b>
        {runs.length > 1 ? (
          <select aria-label="Run" value={run.index} onChange={(e) => go({ page: "problems", run: Number(e.currentTarget.value), problem: null })}>
            {runs.map((r) => <option value={r.index}>{r.name}</option>)}
          </select>
        ) : <span class="run-name" title={run.title}><Line text={run.title || run.name} limit={80} /></span>}
        <nav aria-label="Pages">
          <a href={format({ page: "problems", run: run.index, problem: current?.problem ?? null })} aria-current={at("problems")}>Problems</a>
          <button class="as-link" onClick={split} aria-current={at("split")}>Side by side</button>
          <a href={format({ page: "report", run: run.index })} aria-current={at("report")}>Report</a>
          {beside && <a href={format({ page: "runs", run: run.index, other: beside.index })} aria-current={at("runs")}>Two runs</a>}
        </nav>
        <span class="space" />
        {!exported && <button onClick={() => setExporting(true)}>Export</button>}
        <button onClick={switchTheme} aria-label={`Switch to ${theme === "dark" ? "light" : "dark"} (d)`} title="Light or dark (d)">{theme === "dark" ? "☀" : "☾"}</button>
        <button onClick={() => setHelp(true)} aria-label="Keys (?)" title="Keys (?)">?</button>
      </header>
      {tables.error ? <Trouble error={tables.error} />
        : !here || (!here.complete && route.page !== "problems") ? <Empty>Loading…</Empty>
        : route.page === "problems" ? <ProblemsPage key={run.index} tables={here} problem={route.problem} listed={setListed} />
        : route.page === "runs" ? (beside ? <RunsPage runs={runs} run={run} other={beside} /> : <Empty>There is one run only.</Empty>)
        : route.page === "report" ? <ReportPage tables={here} />
        : route.page === "search" ? <SearchPage tables={here} route={route} />
        : runs.every((r) => known.get(r.index)?.complete) ? <SplitPage all={known} route={route} />
        : <Empty>Loading…</Empty>}
      {help && <Help close={() => setHelp(false)} />}
      {exporting && <Export choices={choices()} close={() => setExporting(false)} />}
    </>
  );
}
