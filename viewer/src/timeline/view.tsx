// What a search spent, and which answer it held meanwhile.

import { scaleLinear } from "d3-scale";
import { curveStepAfter, line as lineOf } from "d3-shape";
import { useState } from "preact/hooks";
import type { SearchData } from "../search/data";
import { duration, short, whole } from "../text/number";
import { line } from "../text/visible";
import { Empty, Right, useSize } from "../ui/bits";
import { AxisBottom, AxisLeft } from "./axis";
import { flips, held, type Along, type Flip } from "./flips";
import { Births } from "./births";
import { Spending } from "./spending";

const LEFT = 52;
const RIGHT = 16;
const PAD = 14; // of .timeline, on both sides
const NAMES: Record<Along, string> = { tokens: "tokens spent", generated: "tokens generated", seconds: "seconds" };
const SAID: Record<Flip["kind"], string> = { gained: "wrong → right", lost: "right → wrong", changed: "changed" };

interface Props {
  data: SearchData;
  pick: (node: number) => void;
}

export function TimelineView({ data, pick }: Props) {
  const [along, setAlong] = useState<Along>("tokens");
  const [box, { width }] = useSize<HTMLDivElement>();
  const { timeline } = data;
  const total = Object.values(timeline?.spend ?? {});
  const spent: Record<Along, number> = {
    tokens: total.reduce((n, s) => n + s.generated + s.prefilled, 0),
    generated: total.reduce((n, s) => n + s.generated, 0),
    seconds: Math.max(0, ...(timeline?.proposals ?? []).map((p) => p.seconds)),
  };
  const end = Math.max(spent[along], ...(timeline?.proposals ?? []).map((p) => p[along]), 1e-9);
  const x = scaleLinear([0, end], [LEFT, Math.max(LEFT + 50, width - 2 * PAD - RIGHT)]);
  return (
    <div class="timeline" ref={box} tabIndex={0} role="region" aria-label="Timeline">
      {!timeline || !width ? <Empty>Loading…</Empty> : (
        <>
          <div class="bar">
            <label>
              Along{" "}
              <select value={along} onChange={(event) => setAlong(event.currentTarget.value as Along)}>
                {Object.entries(NAMES).map(([value, name]) => <option value={value}>{name}</option>)}
              </select>
            </label>
          </div>
          <Answers data={data} along={along} end={end} x={x} pick={pick} />
          {along === "tokens" && <Births data={data} x={x} width={width - 2 * PAD} pick={pick} />}
          <Spending spend={timeline.spend} />
        </>
      )}
    </div>
  );
}

function Answers({ data, along, end, x, pick }: Props & { along: Along; end: number; x: ReturnType<typeof scaleLinear<number, number>> }) {
  const proposals = data.timeline!.proposals;
  const stretches = held(proposals, along, end);
  const turns = flips(stretches);
  const [, right] = x.range() as [number, number];
  if (!stretches.length) return <Empty>No answer was proposed.</Empty>;
  const sure = proposals.filter((p) => p.confidence !== null);
  const y = scaleLinear([0, Math.max(1, ...sure.map((p) => p.confidence!))], [170, 96]);
  // Room above for the signs of changes, where there are any.
  const above = turns.length ? 0 : 20;
  const height = (sure.length ? 212 : 128) - above;
  const bottom = sure.length ? 172 : 86;
  const curve = lineOf<{ x: number; y: number }>((d) => d.x, (d) => d.y).curve(curveStepAfter);
  const points = sure.map((p) => ({ x: x(p[along]), y: y(p.confidence!) }));
  if (points.length) points.push({ x: right, y: points.at(-1)!.y });
  return (
    <section>
      <h3>Answer held</h3>
      <svg class="chart" width={right + RIGHT} height={height} viewBox={`0 ${above} ${right + RIGHT} ${height}`} role="img" aria-label={spoken(stretches, turns)}>
        <rect class="held nothing" x={LEFT} y={28} width={Math.max(0, x(stretches[0]!.from) - LEFT)} height={34} />
        {stretches.map((s) => {
          const wide = Math.max(2, x(s.to) - x(s.from));
          return (
            <g class="press" onClick={() => s.node !== null && pick(s.node)}>
              <title>{`${line(s.value ?? "no answer", 200)} (${short(s.from)} to ${short(s.to)})`}</title>
              <rect class={`held ${s.right === null ? "unknown" : s.right ? "right" : "wrong"}`} x={x(s.from)} y={28} width={wide} height={34} />
              {wide > 34 && (
                <text x={x(s.from) + 7} y={49} class="held-text">
                  {line(`${s.right === null ? "" : s.right ? "✓ " : "✗ "}${s.value ?? "no answer"}`, Math.floor((wide - 8) / 8))}
                </text>
              )}
            </g>
          );
        })}
        {turns.map((flip) => (
          <g class={`flip ${flip.kind}`} transform={`translate(${x(flip.at)},0)`}>
            <line y1={20} y2={68} />
            <path d="M-5,10 L5,10 L0,19 Z" />
            <title>{SAID[flip.kind]}</title>
          </g>
        ))}
        {points.length > 0 && (
          <>
            <AxisLeft scale={y} x={LEFT} right={right} label="" ticks={2} />
            <text class="axis-label" x={LEFT} y={88}>confidence</text>
            <path class="line" d={curve(points) ?? ""} />
          </>
        )}
        <AxisBottom scale={x} y={bottom} label={NAMES[along]} />
      </svg>
      <div class="scroll">
      <table class="plain">
        <thead><tr><th>{NAMES[along]}</th><th>answer</th><th />{sure.length > 0 && <th>confidence</th>}<th>change</th><th>node</th></tr></thead>
        <tbody>
          {stretches.map((s, i) => (
            <tr>
              <td>{along === "seconds" ? duration(s.from) : whole(s.from)}</td>
              <td><bdi>{line(s.value ?? "no answer", 120)}</bdi></td>
              <td><Right right={s.right} /></td>
              {sure.length > 0 && <td>{short(s.confidence)}</td>}
              <td>{i === 0 ? <span class="quiet">first</span> : <b class={turns[i - 1]!.kind}>{SAID[turns[i - 1]!.kind]}</b>}</td>
              <td>{s.node === null ? "–" : <button class="link" onClick={() => pick(s.node!)}>{s.node}</button>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      </div>
    </section>
  );
}

function spoken(stretches: ReturnType<typeof held>, turns: Flip[]): string {
  const last = stretches.at(-1)!;
  const changes = turns.length ? `${turns.length} changes: ${turns.map((t) => SAID[t.kind]).join(", ")}` : "never changed";
  return `Last answer ${line(last.value ?? "none", 80)}, ${last.right === null ? "not graded" : last.right ? "right" : "wrong"}; ${changes}.`;
}
