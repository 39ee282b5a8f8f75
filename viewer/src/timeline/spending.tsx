import type { Spend } from "../api/types";
import { duration, short, whole } from "../text/number";

/** What each purpose and model cost, with bars of its share of the tokens. */
export function Spending({ spend }: { spend: Record<string, Spend> }) {
  const rows = Object.entries(spend);
  if (!rows.length) return null;
  const all = Math.max(1, ...rows.map(([, s]) => s.generated + s.prefilled));
  const usd = rows.some(([, s]) => s.usd !== null && s.usd !== 0);
  return (
    <section>
      <h3>Spent</h3>
      <table class="plain spend">
        <thead>
          <tr>
            <th>for / by</th><th>generated</th><th>prefilled</th><th class="wide" /><th>reused</th><th>computed</th><th>calls</th><th>FLOPs</th><th>time</th>
            {usd && <th>US$</th>}
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
              <td>{whole(s.reused)}</td><td>{whole(s.computed)}</td><td>{whole(s.calls)}</td><td>{short(s.flops)}</td><td>{duration(s.seconds)}</td>
              {usd && <td>{short(s.usd)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
