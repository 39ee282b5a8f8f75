// Two searches side by side: of one run or of two.

import { useState } from "preact/hooks";
import { neighbour, type Search, type Tables } from "../api/tables";
import { go, replace, type Place, type Route, type View } from "../route";
import { Empty, Line, MarkOf, Tabs } from "../ui/bits";
import { useKeys } from "../ui/keys";
import { Pane } from "../search/pane";
import { VIEW_NAMES } from "../search/page";
import { Table } from "./table";

type SplitRoute = Extract<Route, { page: "split" }>;
type Side = "left" | "right";

interface Props {
  all: Map<number, Tables>;
  route: SplitRoute;
}

export function SplitPage({ all, route }: Props) {
  const [active, setActive] = useState<Side>("left");
  const [nodes, setNodes] = useState<Record<string, number>>({});
  const first = all.values().next().value!;
  const found = (place: Place | null): [Tables, Search | undefined] => {
    const tables = all.get(place?.run ?? first.run.index) ?? first;
    return [tables, place ? tables.searches.get(place.result) : undefined];
  };
  const left = found(route.left);
  const right = found(route.right);
  const place = ([tables, search]: [Tables, Search | null | undefined]): Place | null => (search ? { run: tables.run.index, result: search.id } : null);
  const set = (side: Side, to: Place | null) => replace({ ...route, [side]: to });
  const both = (step: number) => {
    const [a, b] = [left, right].map(([tables, search]) => [tables, search && neighbour(tables, search, step)] as [Tables, Search | undefined]);
    if (a![1] && b![1]) replace({ ...route, left: place(a!), right: place(b!) });
  };
  const show = (view: View) => replace({ ...route, view });
  useKeys({
    j: () => both(1), k: () => both(-1),
    "1": () => show("tree"), "2": () => show("text"), "3": () => show("timeline"),
    Escape: () => {
      if (route.view !== "tree") return show("tree");
      const search = left[1];
      go(search ? { page: "search", run: left[0].run.index, result: search.id, view: "tree", node: null } : { page: "problems", run: 0, problem: null });
    },
  });
  const half = (side: Side, [tables, search]: [Tables, Search | undefined]) => {
    const key = `${side}:${tables.run.index}:${search?.id}`;
    return (
      <section
        class={`half ${active === side ? "active" : ""}`} aria-label={side === "left" ? "Left search" : "Right search"}
        onFocusCapture={() => setActive(side)} onPointerDownCapture={() => setActive(side)}
      >
        <Picker all={all} tables={tables} search={search} pick={(to) => set(side, to)} side={side} />
        {search ? (
          <Pane
            key={key} tables={tables} id={search.id} view={route.view} node={nodes[key] ?? null} active={active === side} narrow
            pick={(node) => setNodes((known) => ({ ...known, [key]: node }))}
            show={(view, node) => {
              if (node !== undefined) setNodes((known) => ({ ...known, [key]: node }));
              show(view);
            }}
          />
        ) : <Empty>Choose a search above.</Empty>}
      </section>
    );
  };
  return (
    <main class="split">
      <header class="split-head">
        <h1>Side by side</h1>
        <button onClick={() => both(-1)} aria-label="Previous problem (k)" title="Previous problem (k)">‹</button>
        <button onClick={() => both(1)} aria-label="Next problem (j)" title="Next problem (j)">›</button>
        <span class="split-question">{left[1] && <Line text={left[0].byNumber.get(left[1].problem)?.question ?? ""} limit={200} />}</span>
        <Tabs label="View" tabs={VIEW_NAMES} now={route.view} pick={show} />
      </header>
      {left[1] && right[1] && <Table left={[left[0], left[1]]} right={[right[0], right[1]]} />}
      <div class="halves">{half("left", left)}{half("right", right)}</div>
    </main>
  );
}

interface PickerProps {
  all: Map<number, Tables>;
  tables: Tables;
  search: Search | undefined;
  pick: (to: Place | null) => void;
  side: Side;
}

/** Run, problem, and the problem's search. Changing one keeps as much of the others as there is. */
function Picker({ all, tables, search, pick, side }: PickerProps) {
  const problem = search ? tables.byNumber.get(search.problem) : undefined;
  const to = (other: Tables, id: string | undefined) => {
    const same = other.problems.find((p) => p.id === id) ?? other.problems.find((p) => p.searches.length);
    const method = search && tables.run.methods[search.method];
    const found = same?.searches.find((s) => other.run.methods[s.method] === method) ?? same?.searches[0];
    pick(found ? { run: other.run.index, result: found.id } : null);
  };
  return (
    <div class="bar picker">
      {search && <MarkOf search={search} />}
      {all.size > 1 && (
        <select aria-label={`Run, ${side}`} value={tables.run.index} onChange={(e) => to(all.get(Number(e.currentTarget.value))!, problem?.id)}>
          {[...all.values()].map((t) => <option value={t.run.index}>{t.run.name}</option>)}
        </select>
      )}
      <select aria-label={`Problem, ${side}`} value={problem?.id} onChange={(e) => to(tables, e.currentTarget.value)}>
        {tables.problems.map((p) => <option value={p.id}>{p.id}</option>)}
      </select>
      <select
        aria-label={`Search, ${side}`} value={search?.id}
        onChange={(e) => pick({ run: tables.run.index, result: Number(e.currentTarget.value) })}
      >
        {problem?.searches.map((s) => (
          <option value={s.id}>{tables.run.methods[s.method]}{tables.run.seeds.length > 1 ? ` · seed ${s.seed}` : ""}</option>
        ))}
      </select>
    </div>
  );
}
