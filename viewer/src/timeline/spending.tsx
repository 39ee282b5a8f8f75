import type { Spend } from "../api/types";
import { duration, short, whole } from "../text/number";

const COLUMNS: { name: string; value: (s: Spend) => number | null; shown: (value: number | null) => string }[] = [
  { name: "reused", value: (s) => s.reused, shown: whole },
  { name: "computed", value: (s) => s.computed, shown: whole },
  { name: "calls", value: (s) => s.calls, shown: whole },
  { name: "FLOPs", value: (s) => s.flops, shown: short },
  { name: "time", value: (s) => s.seconds, shown: duration },
  { name: "US$", value: (s) => s.usd, shown: short },
];

/** What each purpose and model cost, with bars of its share of the tokens. */
export function Spending({ spend }: { spend: Record<string, Spend> }) {
  const rows = Object.entries(spend);
  if (!rows.length) return null;
  const all = Math.max(1, ...rows.map(([, s]) => s.generated + s.prefilled));
  // Only what there is: a player has no FLOPs, a server without a price no dollars.
  const told = COLUMNS.filter(({ value }) => rows.some(([, s]) => value(s)));
  return (
    <section>
      <h3>Spent</h3>
      <div class="scroll">
      <table class="plain spend">
        <thead>
          <tr>
            <th>for / by</th><th>generated</th><th>prefilled</th><th class="wide" />{told.map(({ name }) => <th>{name}</th>)}
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, s]) => (
            <tr>
              <td>{name}</td><td>{whole(s.generated)}</td><td>{whole(s.prefilled)}</td>
              <td class="wide">
                <i class="part generated" style={{ width: `${(100 * s.generated) / all}%` }} title="generated" />
                <i class="part prefilled" style={{ width: `${(100 * s.prefilled) / all}%` }} title="prefilled" />
              </td>
              {told.map(({ value, shown }) => <td>{shown(value(s))}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
      </div>
    </section>
  );
}
