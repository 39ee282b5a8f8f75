// What is known of one token, beside it.

import { useLayoutEffect, useRef } from "preact/hooks";
import type { NodePage } from "../api/types";
import { probability, short } from "../text/number";
import { Shown } from "../ui/bits";
import { alternatives, spans } from "./tokens";

/** A token with its white space to be seen. */
function spaced(text: string): string {
  return text.replaceAll("\n", "⏎").replaceAll(" ", "␣");
}

export interface At {
  page: NodePage;
  index: number;
  box: DOMRect;
}

export function AboutToken({ at, said }: { at: At; said: Map<number, string> }) {
  const { page, index, box } = at;
  const ref = useRef<HTMLDivElement>(null);
  const t = page.tokens;
  useLayoutEffect(() => {
    const tip = ref.current!;
    const { width, height } = tip.getBoundingClientRect();
    const below = box.bottom + 6 + height <= innerHeight;
    tip.style.left = `${Math.max(6, Math.min(box.left, innerWidth - width - 6))}px`;
    tip.style.top = `${Math.max(6, below ? box.bottom + 6 : box.top - height - 6)}px`;
  }, [page, index]);
  const [from, to] = spans(page)[index]!;
  const lines: [string, string][] = [["probability", probability(t.logprob?.[index])]];
  const add = (name: string, values: (number | null)[] | null) => {
    if (values?.[index] != null) lines.push([name, short(values[index])]);
  };
  add("log-probability", t.logprob);
  add("as drawn", t.proposal_logprob);
  add("entropy, nats", t.entropy);
  add("self-certainty", t.certainty);
  add("importance", t.importance);
  const others = alternatives(page, index);
  return (
    <div class="about" ref={ref} role="tooltip">
      <p class="about-text"><Shown text={spaced(page.text.slice(from, to))} /> <span class="quiet">{t.id[index]! >= 0 ? `id ${t.id[index]}` : "id not told"}</span></p>
      <dl>{lines.map(([name, value]) => <><dt>{name}</dt><dd>{value}</dd></>)}</dl>
      {!page.exact && <p class="quiet">From the server’s top tokens only.</p>}
      {others.length > 0 && (
        <table>
          <caption>Most probable</caption>
          <tbody>
            {others.map((o) => (
              <tr class={o.chosen ? "chosen" : ""}>
                <td>{said.has(o.id) ? <Shown text={spaced(said.get(o.id)!)} /> : <span class="quiet">id {o.id}</span>}</td>
                <td><i class="share" style={{ width: `${Math.round(60 * Math.exp(o.logprob))}px` }} /></td>
                <td>{probability(o.logprob)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

/** The same in one sentence, for screen readers. */
export function spoken(page: NodePage, index: number): string {
  const [from, to] = spans(page)[index]!;
  const entropy = page.tokens.entropy?.[index];
  return `${page.text.slice(from, to) || "empty"}: ${probability(page.tokens.logprob?.[index])}${entropy == null ? "" : `, entropy ${short(entropy)}`}`;
}
