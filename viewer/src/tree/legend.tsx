import { short } from "../text/number";
import type { Colouring } from "./colour";

export function Legend({ colouring }: { colouring: Colouring }) {
  const { scale, names } = colouring;
  return (
    <span class={names.length > 3 ? "legend long" : "legend"}>
      {scale && (
        <>
          <span>{short(scale.low)}</span>
          <span class="ramp" aria-hidden="true">
            {scale.steps.filter((_, i) => i % 4 === 0).map((colour) => <i style={{ background: colour }} />)}
          </span>
          <span>{short(scale.high)}</span>
        </>
      )}
      {!scale && names.length === 0 && <span class="quiet">nothing recorded</span>}
      {names.map(({ name, colour }) => <span><i class="key" style={{ background: colour }} /> {name}</span>)}
      {colouring.missing && <span class="quiet"><i class="key none" /> none</span>}
    </span>
  );
}
