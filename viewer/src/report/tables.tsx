import type { Estimate, Report, ReportRow } from "../api/types";
import { percent, short } from "../text/number";
import { Difference, span } from "./difference";
import { Line } from "../ui/bits";
import { colourOf } from "./chart";

function Name({ report, method }: { report: Report; method: string }) {
  return (
    <th scope="row">
      <i class="key" style={{ background: colourOf(report, method) }} /> <Line text={method} limit={60} />
      {method === report.baseline && <small> baseline</small>}
    </th>
  );
}

const of = (report: Report, method: string): ReportRow[] => report.budgets.map((b) => report.rows.find((r) => r.method === method && r.budget === b)!);

export function AccuracyTable({ report }: { report: Report }) {
  return (
    <div class="scroll"><table class="plain" aria-label="Accuracy">
      <thead><tr><th>method</th>{report.budgets.map((b) => <th>{short(b)}</th>)}</tr></thead>
      <tbody>
        {report.methods.map(({ method }) => (
          <tr>
            <Name report={report} method={method} />
            {of(report, method).map((r) => (
              <td>{r?.accuracy == null ? "–" : <><b class={r.pareto ? "ring" : ""}>{percent(r.accuracy)}</b>{r.interval && <small>{span(r.interval)}</small>}</>}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table></div>
  );
}

export function DifferenceTable({ report }: { report: Report }) {
  const others = report.methods.filter((m) => m.method !== report.baseline);
  if (!others.length) return null;
  return (
    <>
      <h2>Difference to <Line text={report.baseline} limit={60} /></h2>
      <p class="quiet">{report.notes.difference}</p>
      <div class="scroll"><table class="plain" aria-label="Differences">
        <thead><tr><th>method</th>{report.budgets.map((b) => <th>{short(b)}</th>)}</tr></thead>
        <tbody>
          {others.map(({ method }) => (
            <tr>
              <Name report={report} method={method} />
              {of(report, method).map((r) => <td><Difference row={r} reach={report.reach} colour={colourOf(report, method)} /></td>)}
            </tr>
          ))}
        </tbody>
      </table></div>
    </>
  );
}

export function SpentTable({ report }: { report: Report }) {
  const axes = Object.keys(report.units).filter((axis) => report.methods.some((m) => m.used[axis]));
  return (
    <div class="scroll"><table class="plain" aria-label="Spent">
      <thead><tr><th>method</th>{axes.map((axis) => <th>{report.units[axis]}</th>)}<th>samples</th><th>prefill</th><th>curve</th></tr></thead>
      <tbody>
        {report.methods.map((m) => (
          <tr>
            <Name report={report} method={m.method} />
            {axes.map((axis) => <td>{short(m.used[axis])}</td>)}
            <td>{m.samples ? short(m.samples) : "–"}</td><td>{short(m.prefill_ratio)}</td><td>{m.resampled ? "resampled" : "proposals"}</td>
          </tr>
        ))}
      </tbody>
    </table></div>
  );
}

export function PerK({ report }: { report: Report }) {
  const kept = report.methods.filter((m) => Object.keys(m.pass_at).length);
  if (!kept.length) return null;
  const ks = [...new Set(kept.flatMap((m) => Object.keys(m.pass_at)))].sort((a, b) => Number(a) - Number(b));
  const cells = (values: Record<string, Estimate>) =>
    ks.map((k) => <td>{values[k] ? <><b>{percent(values[k].value)}</b><small>{span(values[k].interval)}</small></> : "–"}</td>);
  return (
    <>
      <h2>pass@k and maj@k of the samples</h2>
      <p class="quiet">{report.notes.samples}</p>
      <div class="scroll"><table class="plain" aria-label="pass@k and maj@k">
        <thead><tr><th>method</th><th />{ks.map((k) => <th>k = {k}</th>)}</tr></thead>
        <tbody>
          {kept.flatMap((m) => [
            <tr><Name report={report} method={m.method} /><td>pass</td>{cells(m.pass_at)}</tr>,
            <tr><th /><td>maj</td>{cells(m.maj_at)}</tr>,
          ])}
        </tbody>
      </table></div>
    </>
  );
}
