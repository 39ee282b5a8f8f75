// Two runs side by side: what they are, and what each method that both have gained or lost.

import { get } from "../api/get";
import type { Across, Change, Run } from "../api/types";
import { go } from "../route";
import { Difference, span } from "../report/difference";
import { percent, short, whole } from "../text/number";
import { Empty, Line, Trouble, useAnswer } from "../ui/bits";
import { useKeys } from "../ui/keys";

interface Props {
  runs: Run[];
  run: Run;
  other: Run;
}

export function RunsPage({ runs, run, other }: Props) {
  const path = `runs/${run.index}/against/${other.index}`;
  const { value, error } = useAnswer(() => get<Across | { error: string }>(path), [path]);
  useKeys({ Escape: () => go({ page: "problems", run: run.index, problem: null }) });
  const show = (first: number, second: number) => {
    // Choosing the run that stands on the other side exchanges the two.
    if (first === second) [first, second] = [other.index, run.index];
    go({ page: "runs", run: first, other: second });
  };
  const choice = (label: string, now: Run, pick: (index: number) => void) => (
    <select aria-label={label} value={now.index} onChange={(e) => pick(Number(e.currentTarget.value))}>
      {runs.map((r) => <option value={r.index}>{r.name}</option>)}
    </select>
  );
  return (
    <main class="report" tabIndex={-1}>
      <article>
        <h1 class="versus-runs">
          {choice("First run", run, (index) => show(index, other.index))} → {choice("Second run", other, (index) => show(run.index, index))}
        </h1>
        {error ? <Trouble error={error} />
          : !value ? <Empty>Comparing…</Empty>
          : "error" in value ? <Empty>{value.error}</Empty>
          : <Changes across={value} />}
        <h2>The two runs</h2>
        <Facts run={run} other={other} />
      </article>
    </main>
  );
}

function Changes({ across }: { across: Across }) {
  const { notes } = across;
  return (
    <>
      <p class="finding"><Line text={notes.finding} limit={1000} /></p>
      <h2>Accuracy at equal {across.units[across.axis]}</h2>
      <p class="quiet">{notes.table}</p>
      <div class="scroll">
        <table class="plain changes" aria-label="Changes">
          <thead><tr><th>method</th>{across.budgets.map((b) => <th>{short(b)}</th>)}<th>searches</th></tr></thead>
          <tbody>
            {across.changes.map((change) => (
              <tr>
                <th scope="row"><Line text={change.method} limit={60} /></th>
                {across.budgets.map((_, i) => <td><Cell change={change} at={i} reach={across.reach} /></td>)}
                <td>{whole(change.searches)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {notes.left_out && <p class="quiet"><Line text={notes.left_out} limit={1000} /></p>}
    </>
  );
}

function Cell({ change, at, reach }: { change: Change; at: number; reach: number }) {
  const [before, after] = [change.before[at]!, change.after[at]!];
  if (before.accuracy === null && after.accuracy === null) return <>–</>;
  return (
    <>
      {percent(before.accuracy)} → {percent(after.accuracy)}
      <small>{before.interval ? span(before.interval) : "–"} → {after.interval ? span(after.interval) : "–"}</small>
      {after.difference !== null && <Difference row={after} reach={reach} colour="var(--series-0)" />}
    </>
  );
}

const settings = (values: Record<string, unknown> | null) =>
  Object.entries(values ?? {}).filter(([, v]) => v !== null).map(([name, v]) => `${name} ${typeof v === "number" ? short(v) : String(v)}`).join(", ");

const FACTS: { name: string; of: (run: Run) => string }[] = [
  { name: "model", of: (r) => Object.entries(r.models).map(([role, model]) => (role === "generate" ? model : `${role}: ${model}`)).join(", ") },
  { name: "task", of: (r) => r.task },
  { name: "problems", of: (r) => whole(r.problems) },
  { name: "methods", of: (r) => r.methods.join(", ") },
  { name: "seeds", of: (r) => r.seeds.join(", ") },
  { name: "budget", of: (r) => settings(r.budget) },
  { name: "sampling", of: (r) => settings(r.sampling) },
  { name: "searches", of: (r) => whole(r.results) },
  { name: "begun", of: (r) => (r.created === null ? "–" : new Date(r.created * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC") },
];

/** What was run, line by line; what differs is bold. */
function Facts({ run, other }: { run: Run; other: Run }) {
  return (
    <div class="scroll">
      <table class="plain facts-of-runs" aria-label="The two runs">
        <thead><tr><th /><th>{run.name}</th><th>{other.name}</th></tr></thead>
        <tbody>
          {FACTS.map(({ name, of }) => {
            const said = [of(run), of(other)] as const;
            if (!said[0] && !said[1]) return null;
            const Tag = said[0] === said[1] ? "span" : "b";
            return <tr><th scope="row">{name}</th>{said.map((text) => <td><Tag><Line text={text || "–"} limit={300} /></Tag></td>)}</tr>;
          })}
        </tbody>
      </table>
    </div>
  );
}
