// The page of one search.

import { useState } from "preact/hooks";
import { neighbour, type Search, type Tables } from "../api/tables";
import { format, go, replace, type Route, type View } from "../route";
import { Line, MarkOf, Shown, Tabs } from "../ui/bits";
import { useKeys } from "../ui/keys";
import { Numbers, Pane } from "./pane";
import { useSearch } from "./data";

type SearchRoute = Extract<Route, { page: "search" }>;

export const VIEW_NAMES: [View, string][] = [["tree", "Tree"], ["text", "Text"], ["timeline", "Timeline"]];

/** The search that this one is compared with at first: the next method's on the same problem, else the next seed's. */
export function counterpart(tables: Tables, search: Search): Search | null {
  const all = tables.byNumber.get(search.problem)?.searches ?? [];
  const others = all.filter((s) => s.id !== search.id);
  const later = others.filter((s) => s.method > search.method && s.seed === search.seed);
  return later[0] ?? others.find((s) => s.method !== search.method && s.seed === search.seed) ?? others[0] ?? null;
}

export function compare(tables: Tables, search: Search, view: View): void {
  const other = counterpart(tables, search);
  const run = tables.run.index;
  go({
    page: "split", run, view,
    left: { run, result: search.id }, right: other ? { run, result: other.id } : null,
  });
}

/** Brings the open search of a long list into sight. */
function shownIn(nav: HTMLElement | null): void {
  nav?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

export function SearchPage({ tables, route }: { tables: Tables; route: SearchRoute }) {
  const { run } = tables;
  const search = tables.searches.get(route.result);
  const problem = search && tables.byNumber.get(search.problem);
  const [unfolded, setUnfolded] = useState(false);
  const show = (view: View, node: number | null = route.node) => go({ ...route, view, node });
  const open = (to: Search | null | undefined) => to && go({ page: "search", run: run.index, result: to.id, view: route.view, node: null });
  const beside = (step: number) => {
    const all = problem?.searches ?? [];
    open(all[all.findIndex((s) => s.id === route.result) + step]);
  };
  useKeys({
    j: () => search && open(neighbour(tables, search, 1)),
    k: () => search && open(neighbour(tables, search, -1)),
    "[": () => beside(-1),
    "]": () => beside(1),
    "1": () => show("tree"), "2": () => show("text"), "3": () => show("timeline"),
    c: () => search && compare(tables, search, route.view),
    Escape: () => (route.view === "tree" ? go({ page: "problems", run: run.index, problem: search?.problem ?? null }) : show("tree")),
  });
  return (
    <main class="search">
      <header class="search-head">
        <div class="search-title">
          <h1><Line text={problem?.id ?? "?"} limit={60} /></h1>
          <button onClick={() => search && open(neighbour(tables, search, -1))} aria-label="Previous problem (k)" title="Previous problem (k)">‹</button>
          <button onClick={() => search && open(neighbour(tables, search, 1))} aria-label="Next problem (j)" title="Next problem (j)">›</button>
          <nav class="searches" aria-label="Searches of this problem" ref={shownIn}>
            {problem?.searches.map((s) => (
              <a href={format({ page: "search", run: run.index, result: s.id, view: route.view, node: null })} aria-current={s.id === route.result ? "page" : undefined}>
                <MarkOf search={s} /> <Line text={run.methods[s.method]!} limit={40} />{run.seeds.length > 1 && <small> · {s.seed}</small>}
              </a>
            ))}
          </nav>
          <button onClick={() => search && compare(tables, search, route.view)} title="Side by side with another (c)">Side by side</button>
          <Tabs label="View" tabs={VIEW_NAMES} now={route.view} pick={(view) => show(view)} />
        </div>
        {problem && (
          <div class="question">
            <button class="link" aria-expanded={unfolded} onClick={() => setUnfolded(!unfolded)}>{unfolded ? "▾" : "▸"} Question</button>{" "}
            {unfolded ? <Question run={run.index} id={route.result} /> : <Line text={problem.question} limit={300} />}
          </div>
        )}
        <Numbers tables={tables} id={route.result} />
      </header>
      <Pane
        tables={tables} id={route.result} view={route.view} node={route.node} active
        pick={(node) => replace({ ...route, node })} show={show}
      />
    </main>
  );
}

/** The whole question; what is not text (a picture) is named. */
function Question({ run, id }: { run: number; id: number }) {
  const [data] = useSearch(run, id);
  return <div class="whole"><Shown text={data.detail?.problem.question ?? "…"} as="div" /></div>;
}
