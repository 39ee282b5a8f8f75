// The list of problems, with what each method made of them.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { differ, type Problem, type Tables } from "../api/tables";
import { go, replace } from "../route";
import { bytes, percent, plural, short, whole } from "../text/number";
import { Empty, Line, MarkOf, useSize } from "../ui/bits";
import { useKeys } from "../ui/keys";
import { ROW_HEIGHT, Rows } from "../ui/rows";
import { compare } from "../search/page";
import { Filters } from "./filters";
import { filtered, mark, mean, measure, NO_FILTER, sorted, type Filter, type Key, type Order } from "./filter";
import { ProblemPanel } from "./problem";

interface Props {
  tables: Tables;
  problem: number | null;
  /** Told which problems are listed, for the export. */
  listed: (ids: string[]) => void;
}

// Coming back from a search, the list is as it was left.
const left = new Map<number, { filter: Filter; order: Order }>();
const MANY_SEEDS = 4;
const METHOD = { least: 64, most: 130, seed: 26 };
/** Widths of a digit or letter of an id, and of the column of ids. */
const LETTER = 8;
const ID = { least: 90, most: 200 };
const NARROW = 700;

export function ProblemsPage({ tables, problem, listed }: Props) {
  const { run } = tables;
  const [filter, setFilter] = useState(left.get(run.index)?.filter ?? NO_FILTER);
  const [order, setOrder] = useState<Order>(left.get(run.index)?.order ?? { key: "number", down: false });
  const [column, setColumn] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [box, { width }] = useSize<HTMLDivElement>();
  left.set(run.index, { filter, order });
  const shown = useMemo(() => sorted(filtered(tables, filter), order, filter.method), [tables, tables.searches.size, filter, order]);
  const found = shown.findIndex((p) => p.number === problem);
  const at = found >= 0 ? found : shown.length ? 0 : -1;
  const current = shown[at];
  useEffect(() => listed(shown.map((p) => p.id)), [shown]);
  useEffect(() => list.current?.focus({ preventScroll: true }), []);

  const select = (index: number) => {
    const to = shown[Math.max(0, Math.min(shown.length - 1, index))];
    if (to) replace({ page: "problems", run: run.index, problem: to.number });
  };
  const open = (id: number | undefined) => {
    if (id === undefined) return;
    if (current) replace({ page: "problems", run: run.index, problem: current.number });
    go({ page: "search", run: run.index, result: id, view: "tree", node: null });
  };
  const searches = current?.searches ?? [];
  const chosen = searches[Math.min(column, searches.length - 1)];
  const move = (step: number) => () => select(at + step);
  const aside = (step: number) => () => setColumn(Math.max(0, Math.min(searches.length - 1, Math.min(column, searches.length - 1) + step)));
  useKeys({
    ArrowDown: move(1), ArrowUp: move(-1), j: move(1), k: move(-1), PageDown: move(20), PageUp: move(-20),
    Home: move(-Infinity), End: move(Infinity), ArrowRight: aside(1), ArrowLeft: aside(-1),
    Enter: () => open(chosen?.id), "/": () => input.current?.focus(), c: () => chosen && compare(tables, chosen, "tree"),
    Escape: () => setFilter(NO_FILTER),
  });

  const by = (key: Key) => setOrder((o) => ({ key, down: o.key === key ? !o.down : key !== "number" && key !== "id" }));
  const head = (key: Key, name: string, title: string, right = true) => (
    <span role="columnheader" class={right ? "right" : ""} aria-sort={order.key === key ? (order.down ? "descending" : "ascending") : "none"}>
      <button onClick={() => by(key)} title={`Sort by ${title}`}>{name}{order.key === key && (order.down ? " ↓" : " ↑")}</button>
    </span>
  );
  const share = (method: number) => mean(shown.flatMap((p) => p.searches.filter((s) => s.method === method && !s.error).map((s) => s.grade ?? 0)));
  const difficult = differ(tables);
  const narrow = width > 0 && width < NARROW;
  const longest = tables.problems.reduce((n, p) => Math.max(n, p.id.length), 0);
  const id = narrow ? 0 : Math.round(Math.max(ID.least, Math.min(ID.most, longest * LETTER)));
  const question = narrow ? 110 : 160;
  const others = 28 + 34 + (id && id + 10) + (difficult && !narrow ? 74 : 0) + 58 + (narrow ? 0 : 84) + 20;
  const seeds = Math.min(run.seeds.length, MANY_SEEDS) * METHOD.seed;
  const room = (width - others - question * (narrow ? 1 : 1.6)) / Math.max(1, run.methods.length) - 10;
  const method = Math.round(Math.max(METHOD.least, seeds, Math.min(METHOD.most, room)));
  const columns = `34px ${id ? `${id}px ` : ""}minmax(${question}px, 1fr) ${difficult && !narrow ? "64px " : ""}58px ${narrow ? "" : "74px "}repeat(${run.methods.length}, ${method}px)`;
  const least = others + question + run.methods.length * (method + 10);
  return (
    <main class="list">
      <Filters tables={tables} filter={filter} set={setFilter} input={input} enter={() => list.current?.focus()} />
      <div class="list-body">
        <div class="list-main" ref={box}>
          {shown.length === 0 && tables.complete ? <Empty>No problem meets these conditions.</Empty> : (
            <Rows
              count={shown.length} current={at} label="Problems" columns={columns} least={least} focus={list}
              head={
                <>
                  {head("number", "#", "number")}
                  {!narrow && head("id", "problem", "id", false)}
                  <span role="columnheader">question</span>
                  {difficult && !narrow && head("difficulty", "diff.", "difficulty")}
                  {head("right", "right", "share of right answers")}
                  {!narrow && head("tokens", "tokens", "mean tokens of a search")}
                  {run.methods.map((name, i) => (
                    <span role="columnheader" class="method" title={name}><Line text={name} limit={60} /><small>{percent(share(i))} %</small></span>
                  ))}
                </>
              }
              row={(i) => (
                <Row
                  key={i} index={i} problem={shown[i]!} tables={tables} filter={filter} difficult={difficult} narrow={narrow} current={i === at}
                  chosen={i === at ? chosen?.id : undefined} select={() => select(i)} open={open}
                />
              )}
            />
          )}
          <p class="status">
            <span role="status">{shown.length === tables.problems.length ? plural(shown.length, "problem") : `${whole(shown.length)} of ${plural(tables.problems.length, "problem")}`}</span>
            <span>{plural(run.results, "search", "searches")}</span>
            <span>{plural(run.nodes, "node")}</span>
            <span>{bytes(run.bytes)}</span>
            <span class="ellipsis">{Object.values(run.models).join(", ")}</span>
            {!tables.complete && <span>loading…</span>}
          </p>
        </div>
        {current && <ProblemPanel tables={tables} problem={current} chosen={chosen?.id} open={open} compare={() => chosen && compare(tables, chosen, "tree")} />}
      </div>
    </main>
  );
}

interface RowProps {
  index: number;
  problem: Problem;
  tables: Tables;
  filter: Filter;
  difficult: boolean;
  narrow: boolean;
  current: boolean;
  chosen: number | undefined;
  select: () => void;
  open: (id: number | undefined) => void;
}

function Row({ index, problem, tables, filter, difficult, narrow, current, chosen, select, open }: RowProps) {
  const right = measure(problem, "right", filter.method) as number | null;
  return (
    <div
      class={`row ${current ? "current" : ""}`} id={`row-${index}`} role="row" aria-rowindex={index + 2} aria-selected={current}
      onClick={select} onDblClick={() => open(chosen ?? problem.searches[0]?.id)} style={{ height: `${ROW_HEIGHT}px` }}
    >
      <span role="gridcell" class="right quiet">{problem.number}</span>
      {!narrow && <span role="gridcell"><Line text={problem.id} limit={60} /></span>}
      <span role="gridcell"><Line text={problem.question} /></span>
      {difficult && !narrow && <span role="gridcell" class="right">{short(problem.difficulty)}</span>}
      <span role="gridcell" class="right">{right === null ? "–" : `${percent(right)} %`}</span>
      {!narrow && <span role="gridcell" class="right">{whole(measure(problem, "tokens", filter.method) as number | null)}</span>}
      {tables.run.methods.map((_, method) => {
        const own = problem.searches.filter((s) => s.method === method);
        return (
          <span role="gridcell" class="marks">
            {own.length > MANY_SEEDS ? (
              <button class={own.some((s) => s.id === chosen) ? "chosen" : ""} tabIndex={-1} onClick={() => open(own[0]!.id)}>
                {own.filter((s) => mark(s) === "right").length}/{own.length}
              </button>
            ) : own.map((s) => (
              <button class={s.id === chosen ? "chosen" : ""} tabIndex={-1} onClick={() => open(s.id)} title={`${s.value ?? "no answer"} · ${whole(s.tokens)} tokens`}>
                <MarkOf search={s} />
              </button>
            ))}
          </span>
        );
      })}
    </div>
  );
}
