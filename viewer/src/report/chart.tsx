// Accuracy against budget, with intervals and the Pareto front.

import { scaleLinear, scaleLog } from "d3-scale";
import { area, line as lineOf } from "d3-shape";
import { useState } from "preact/hooks";
import type { Report, ReportRow } from "../api/types";
import { percent, short } from "../text/number";
import { line } from "../text/visible";
import { AxisLeft } from "../timeline/axis";
import { useSize } from "../ui/bits";

const HEIGHT = 360;
const LEFT = 40;
const TOP = 26;
const BOTTOM = HEIGHT - 44;
const LABEL = 16;
/** Below this width the names stand below the chart, not beside the ends of the lines. */
const NARROW = 560;
/** The least distance of two budgets' figures on the axis. */
const APART = 38;

export function colourOf(report: Report, method: string): string {
  if (method === report.baseline) return "var(--baseline)";
  const others = report.methods.map((m) => m.method).filter((m) => m !== report.baseline);
  return `var(--series-${others.indexOf(method) % 7})`;
}

interface Line {
  method: string;
  rows: ReportRow[];
  label: number;
}

/** Names beside the ends of the lines, moved apart where they would cover one another. */
function spread(lines: Line[]): Line[] {
  const placed = [...lines].sort((a, b) => a.label - b.label);
  placed.forEach((l, i) => {
    if (i) l.label = Math.max(l.label, placed[i - 1]!.label + LABEL);
  });
  const over = (placed.at(-1)?.label ?? 0) - BOTTOM;
  if (over > 0) for (const l of placed) l.label -= over;
  return lines;
}

export function Curves({ report }: { report: Report }) {
  const [box, { width }] = useSize<HTMLDivElement>();
  const [chosen, setChosen] = useState<string | null>(null);
  const names = Math.min(260, Math.max(90, ...report.methods.map((m) => Math.min(30, m.method.length) * 7.2 + 20)));
  const narrow = width < NARROW;
  const right = Math.max(LEFT + 100, width - (narrow ? 20 : names));
  const budgets = report.budgets;
  const [least, most] = [Math.min(...budgets), Math.max(...budgets)];
  const x = most / least > 1.01 ? scaleLog([least, most], [LEFT + 12, right]).base(2) : scaleLinear([0, most], [LEFT + 12, right]);
  const y = scaleLinear([0, 1], [BOTTOM, TOP]);
  const lines = spread(
    report.methods.flatMap(({ method }) => {
      const rows = report.rows.filter((r) => r.method === method && r.accuracy !== null);
      return rows.length ? [{ method, rows, label: y(rows.at(-1)!.accuracy!) }] : [];
    }),
  );
  const band = area<ReportRow>().x((r) => x(r.budget)).y0((r) => y(r.interval?.[0] ?? r.accuracy!)).y1((r) => y(r.interval?.[1] ?? r.accuracy!));
  const path = lineOf<ReportRow>((r) => x(r.budget), (r) => y(r.accuracy!));
  const front = report.rows.filter((r) => r.pareto && r.accuracy !== null);
  // Points of several methods at one budget stand beside one another, so that their intervals can be told apart.
  const aside = (i: number) => (i - (lines.length - 1) / 2) * 5;
  const dim = (method: string) => (chosen !== null && chosen !== method ? "dim" : "");
  return (
    <figure class="curves" ref={(e) => void (box.current = e as unknown as HTMLDivElement)}>
      {width > 0 && (
        <svg class="chart" width={width} height={HEIGHT} role="img" aria-label={`Accuracy against ${report.units[report.axis]}; the same numbers are in the table below.`}>
          <AxisLeft scale={y} x={LEFT} right={right} label="accuracy, %" format={percent} />
          <g class="axis" aria-hidden="true">
            <line x1={LEFT} x2={right} y1={BOTTOM} y2={BOTTOM} />
            {budgets.map((b, i) => (
              <g transform={`translate(${x(b)},${BOTTOM})`}>
                <line y2={4} />
                {(i === budgets.length - 1 || x(budgets[i + 1]!) - x(b) > APART) && <text y={17} text-anchor="middle">{short(b)}</text>}
              </g>
            ))}
            <text class="axis-label" x={(LEFT + right) / 2} y={BOTTOM + 36} text-anchor="middle">{report.units[report.axis]} a search</text>
          </g>
          {lines.map(({ method, rows }) => chosen === method && <path class="band" d={band(rows) ?? ""} style={{ fill: colourOf(report, method) }} />)}
          {lines.map(({ method, rows, label }, i) => {
            const colour = colourOf(report, method);
            const end = rows.at(-1)!;
            return (
              <g class={`curve ${dim(method)}`} style={{ color: colour }} transform={`translate(${aside(i)},0)`} onPointerEnter={() => setChosen(method)} onPointerLeave={() => setChosen(null)}>
                <path class={`line ${method === report.baseline ? "baseline" : ""}`} d={path(rows) ?? ""} />
                {rows.map((r) => (
                  <g transform={`translate(${x(r.budget)},0)`}>
                    {r.interval && <line class="whisker" y1={y(r.interval[0])} y2={y(r.interval[1])} />}
                    <circle cy={y(r.accuracy!)} r={4.5}>
                      <title>{`${line(method, 80)}: ${percent(r.accuracy)} % at ${short(r.budget)}${r.interval ? ` (${percent(r.interval[0])} to ${percent(r.interval[1])})` : ""}`}</title>
                    </circle>
                  </g>
                ))}
                {!narrow && (
                  <>
                    <path class="lead" d={`M${x(end.budget) + 7},${y(end.accuracy!)} L${right + 10},${label}`} />
                    <text x={right + 14} y={label} dy="0.32em">{line(method, 30)}</text>
                  </>
                )}
              </g>
            );
          })}
          {front.map((r) => <circle class="pareto" cx={x(r.budget) + aside(lines.findIndex((l) => l.method === r.method))} cy={y(r.accuracy!)} r={8} />)}
        </svg>
      )}
      {narrow && (
        <p class="legend">
          {lines.map(({ method }) => <span><i class="key" style={{ background: colourOf(report, method) }} /> {line(method, 44)}</span>)}
        </p>
      )}
      <figcaption class="quiet">{report.notes.figure}</figcaption>
    </figure>
  );
}
