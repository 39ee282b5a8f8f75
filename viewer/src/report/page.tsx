// The comparison of a run's methods at equal budgets.

import { get } from "../api/get";
import type { Tables } from "../api/tables";
import type { Report } from "../api/types";
import { go } from "../route";
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
  const { notes } = report;
  return (
    <main class="report" tabIndex={-1}>
      <article>
        <h1>{notes.title}</h1>
        <p class="quiet"><Line text={notes.subtitle} limit={400} /></p>
        <p class="finding"><Line text={notes.finding} limit={1000} /></p>
        <Curves report={report} />
        <h2>Accuracy</h2>
        <p class="quiet">{notes.accuracy}</p>
        <AccuracyTable report={report} />
        <DifferenceTable report={report} />
        <h2>What was spent</h2>
        <p class="quiet"><Line text={notes.spent} limit={1000} /></p>
        <SpentTable report={report} />
        <PerK report={report} />
        <h2>What was held equal</h2>
        <ul>{report.held_equal.map((said) => <li><Line text={said} limit={400} /></li>)}</ul>
        <p>{notes.searches}</p>
        <h2>How to read this</h2>
        <ul>{notes.reading.map((said) => <li>{said}</li>)}</ul>
      </article>
    </main>
  );
}
