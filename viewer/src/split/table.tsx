// The numbers of two searches, and how far they are apart.

import type { Search, Tables } from "../api/tables";
import { useSearch, type SearchData } from "../search/data";
import { duration, short, whole } from "../text/number";
import { flips, held } from "../timeline/flips";
import { Line, MarkOf } from "../ui/bits";

type Side = [Tables, Search];

interface Row {
  name: string;
  value: (search: Search, data: SearchData) => number | null | undefined;
  shown: (value: number | null | undefined) => string;
}

const ROWS: Row[] = [
  { name: "tokens", value: (s) => s.tokens, shown: whole },
  { name: "generated", value: (s) => s.generated, shown: whole },
  { name: "distinct", value: (_, d) => d.detail?.distinct_tokens, shown: whole },
  { name: "time", value: (s) => s.seconds, shown: duration },
  { name: "nodes", value: (s) => s.nodes, shown: whole },
  { name: "depth", value: (_, d) => d.detail?.max.depth, shown: whole },
  { name: "answers proposed", value: (_, d) => d.timeline?.proposals.length, shown: whole },
  {
    name: "changes of answer",
    value: (_, d) => d.timeline && flips(held(d.timeline.proposals, "tokens", 0)).length,
    shown: whole,
  },
  { name: "confidence", value: (s) => s.confidence, shown: short },
];

export function Table({ left, right }: { left: Side; right: Side }) {
  const [a] = useSearch(left[0].run.index, left[1].id);
  const [b] = useSearch(right[0].run.index, right[1].id);
  const pairs = ROWS.map((row) => ({ row, x: row.value(left[1], a), y: row.value(right[1], b) }));
  const name = ([tables, search]: Side) => tables.run.methods[search.method]!;
  const side = (of: Side, values: (number | null | undefined)[]) => (
    <tr>
      <th scope="row"><Line text={name(of)} limit={36} />{of[0].run.seeds.length > 1 && <small> · {of[1].seed}</small>}</th>
      <td><MarkOf search={of[1]} /> <Line text={of[1].value} limit={24} /></td>
      {values.map((value, i) => <td>{ROWS[i]!.shown(value)}</td>)}
    </tr>
  );
  return (
    <table class="plain versus" aria-label="Numbers of both">
      <thead><tr><th /><th class="answer">answer</th>{ROWS.map((row) => <th>{row.name}</th>)}</tr></thead>
      <tbody>
        {side(left, pairs.map((p) => p.x))}
        {side(right, pairs.map((p) => p.y))}
        <tr class="ratio">
          <th scope="row">right ÷ left</th><td />
          {pairs.map(({ x, y }) => <td>{x && y != null ? `× ${short(y / x)}` : "–"}</td>)}
        </tr>
      </tbody>
    </table>
  );
}
