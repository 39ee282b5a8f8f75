// Axes of the charts.

import type { ScaleContinuousNumeric } from "d3-scale";
import { short } from "../text/number";

type Scale = ScaleContinuousNumeric<number, number>;

interface Bottom {
  scale: Scale;
  y: number;
  label: string;
}

export function AxisBottom({ scale, y, label }: Bottom) {
  const [from, to] = scale.range() as [number, number];
  return (
    <g class="axis" aria-hidden="true">
      <line x1={from} x2={to} y1={y} y2={y} />
      {scale.ticks(6).map((tick) => (
        <g transform={`translate(${scale(tick)},${y})`}>
          <line y2={4} />
          <text y={17} text-anchor="middle">{short(tick)}</text>
        </g>
      ))}
      <text x={(from + to) / 2} y={y + 34} text-anchor="middle" class="axis-label">{label}</text>
    </g>
  );
}

interface Left {
  scale: Scale;
  x: number;
  right: number;
  label: string;
  ticks?: number;
  /** Only whole numbers, for what is counted. */
  whole?: boolean;
  format?: (value: number) => string;
}

export function AxisLeft({ scale, x, right, label, ticks = 5, whole = false, format = short }: Left) {
  const [from] = scale.range() as [number, number];
  return (
    <g class="axis" aria-hidden="true">
      {scale.ticks(ticks).filter((tick) => !whole || Number.isInteger(tick)).map((tick) => (
        <g transform={`translate(0,${scale(tick)})`}>
          <line class="grid" x1={x} x2={right} />
          <text x={x - 7} dy="0.32em" text-anchor="end">{format(tick)}</text>
        </g>
      ))}
      <text x={0} y={Math.min(from, scale.range()[1]!) - 12} class="axis-label">{label}</text>
    </g>
  );
}
