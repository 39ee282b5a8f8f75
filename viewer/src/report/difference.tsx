// A difference of accuracies with its interval, in figures and as a bar about zero.

import type { Interval, ReportRow } from "../api/types";
import { percent } from "../text/number";

export function span([low, high]: Interval, sign = false): string {
  return `${percent(low, sign)}${sign ? " to " : "–"}${percent(high, sign)}`;
}

export function Difference({ row, reach, colour }: { row: ReportRow | undefined; reach: number; colour: string }) {
  if (row?.difference == null || !row.difference_interval) return <>–</>;
  const [low, high] = row.difference_interval;
  const x = (value: number) => 50 + (48 * value) / reach;
  const Tag = low > 0 || high < 0 ? "b" : "span";
  return (
    <>
      <Tag>{percent(row.difference, true)}</Tag>
      <svg class="ci" viewBox="0 0 100 14" preserveAspectRatio="none" aria-hidden="true" style={{ color: colour }}>
        <line class="zero" x1="50" x2="50" y1="0" y2="14" />
        <line class="bar" x1={x(low)} x2={x(high)} y1="7" y2="7" />
        <line class="dot" x1={x(row.difference)} x2={x(row.difference)} y1="2" y2="12" />
      </svg>
      <small>{span(row.difference_interval, true)}</small>
    </>
  );
}
