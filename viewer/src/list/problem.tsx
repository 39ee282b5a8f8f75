// The chosen problem, with its searches by method.

import type { Problem, Tables } from "../api/tables";
import { format } from "../route";
import { duration, whole } from "../text/number";
import { Line, MarkOf, Shown } from "../ui/bits";

interface Props {
  tables: Tables;
  problem: Problem;
  chosen: number | undefined;
  open: (id: number) => void;
  compare: () => void;
}

export function ProblemPanel({ tables, problem, chosen, open, compare }: Props) {
  const { run } = tables;
  const seeds = run.seeds.length > 1;
  const sure = problem.searches.some((s) => s.confidence !== null);
  return (
    <aside class="problem" aria-label="Problem">
      <h2><Line text={problem.id} limit={80} /></h2>
      <div class="snippet"><Shown text={problem.question} />{problem.question.length >= 300 && "…"}</div>
      {problem.reference !== null && <p>Reference <b><Line text={problem.reference} limit={100} /></b></p>}
      <table class="plain searches-table" aria-label="Searches">
        <thead>
          <tr><th>search</th>{seeds && <th>seed</th>}<th>tokens</th><th>time</th><th>nodes</th>{sure && <th title="confidence">conf.</th>}</tr>
        </thead>
        <tbody>
          {problem.searches.map((s) => (
            <tr class={s.id === chosen ? "chosen" : ""} onDblClick={() => open(s.id)}>
              <td>
                <MarkOf search={s} />{" "}
                <a href={format({ page: "search", run: run.index, result: s.id, view: "tree", node: null })}><Line text={run.methods[s.method]!} limit={60} /></a>
                <div class="answer"><Line text={s.error || s.value} limit={80} /></div>
              </td>
              {seeds && <td>{s.seed}</td>}
              <td>{whole(s.tokens)}</td><td>{duration(s.seconds)}</td><td>{whole(s.nodes)}</td>
              {sure && <td>{s.confidence === null ? "–" : s.confidence.toFixed(2)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {problem.searches.length === 0 && <p class="quiet">No search of this problem has finished.</p>}
      {problem.searches.length > 1 && <p class="buttons"><button onClick={compare} title="c">Side by side</button></p>}
    </aside>
  );
}
