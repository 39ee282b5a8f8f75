// The comparison of a run's methods at equal budgets.

import { get } from "../api/get";
import type { Tables } from "../api/tables";
import type { Report } from "../api/types";
import { go } from "../route";
import { percent, plural } from "../text/number";
import { Empty, Line, Trouble, useAnswer } from "../ui/bits";
import { useKeys } from "../ui/keys";
import { Curves } from "./chart";
import { AccuracyTable, DifferenceTable, PerK, SpentTable } from "./tables";

export function ReportPage({ tables }: { tables: Tables }) {
  const { run } = tables;
  const { value, error } = useAnswer(() => get<Report | { error: string }>(`runs/${run.index}/report`), [run.index]);
  useKeys({ Escape: () => go({ page: "problems", run: run.index, problem: null }) });
  if (error) return <main><Trouble error={error} /></main>;
  if (!value) return <main><Empty>Comparing…</Empty></main>;
  if ("error" in value) return <main><Empty>{value.error}</Empty></main>;
  const report = value;
  return (
    <main class="report" tabIndex={-1}>
      <article>
        <h1>Accuracy at equal {report.units[report.axis]}</h1>
        <p class="quiet">
          {plural(report.problems, "problem")} × {plural(report.seeds, "seed")} · <Line text={report.families.join(", ")} /> · <Line text={report.models.join(", ")} />
        </p>
        <p class="finding"><Line text={report.finding} limit={1000} /></p>
        <Curves report={report} />
        <h2>Accuracy</h2>
        <p class="quiet">Percent, with {percent(report.level)} % intervals. Ringed: on the Pareto front. –: the recordings do not reach this budget.</p>
        <AccuracyTable report={report} />
        <DifferenceTable report={report} />
        <h2>What was spent</h2>
        <p class="quiet">Mean of a whole search. Curve: whether its points come from resampled samples or from the answers proposed on the way.</p>
        <SpentTable report={report} />
        <PerK report={report} />
        <h2>What was held equal</h2>
        <ul>{report.held_equal.map((said) => <li><Line text={said} limit={400} /></li>)}</ul>
        <p>
          {plural(report.searches, "search", "searches")} for each method.
          {report.left_out > 0 && ` ${plural(report.left_out, "pair")} of problem and seed left out, because some method has not finished them.`}
        </p>
      </article>
    </main>
  );
}
