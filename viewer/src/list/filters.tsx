// The bar of filters above the list.

import type { Ref } from "preact";
import { differ, type Tables } from "../api/tables";
import { NO_FILTER, type Filter, type Outcome } from "./filter";

const OUTCOMES: [Outcome, string][] = [
  ["any", "any outcome"], ["right", "right"], ["wrong", "wrong"], ["none", "no answer"], ["failed", "failed"],
  ["differ", "searches disagree"],
];

function number(text: string): number | null {
  return text.trim() === "" || !Number.isFinite(Number(text)) ? null : Number(text);
}

interface Props {
  tables: Tables;
  filter: Filter;
  set: (filter: Filter) => void;
  input: Ref<HTMLInputElement>;
  /** From the text into the list. */
  enter: () => void;
}

export function Filters({ tables, filter, set, input, enter }: Props) {
  const change = (part: Partial<Filter>) => set({ ...filter, ...part });
  const families = [...new Set(tables.problems.map((p) => p.family))];
  const graded = differ(tables);
  const changed = JSON.stringify(filter) !== JSON.stringify(NO_FILTER);
  const bound = (key: "difficulty" | "tokens", at: 0 | 1, label: string) => (
    <input
      class="bound" type="text" inputMode="decimal" placeholder={at ? "to" : "from"} aria-label={label} value={filter[key][at] ?? ""}
      onInput={(e) => {
        const next: [number | null, number | null] = [...filter[key]];
        next[at] = number(e.currentTarget.value);
        change({ [key]: next });
      }}
    />
  );
  return (
    <form class="bar filters" role="search" onSubmit={(e) => (e.preventDefault(), enter())}>
      <input
        ref={input} type="search" class="text-filter" placeholder="Text, answer, id  ( / )" aria-label="Filter by text"
        value={filter.text} onInput={(e) => change({ text: e.currentTarget.value })}
        onKeyDown={(e) => e.key === "ArrowDown" && (e.preventDefault(), enter())}
      />
      <select aria-label="Method" value={filter.method ?? ""} onChange={(e) => change({ method: number(e.currentTarget.value) })}>
        <option value="">any method</option>
        {tables.run.methods.map((name, i) => <option value={i}>{name}</option>)}
      </select>
      <select aria-label="Outcome" value={filter.outcome} onChange={(e) => change({ outcome: e.currentTarget.value as Outcome })}>
        {OUTCOMES.map(([value, name]) => <option value={value}>{name}</option>)}
      </select>
      <select aria-label="Status" value={filter.status} onChange={(e) => change({ status: e.currentTarget.value })}>
        <option value="">any status</option>
        {["answered", "abstained", "exhausted"].map((s) => <option value={s}>{s}</option>)}
      </select>
      {families.length > 1 && (
        <select aria-label="Family" value={filter.family} onChange={(e) => change({ family: e.currentTarget.value })}>
          <option value="">any family</option>
          {families.map((f) => <option value={f}>{f}</option>)}
        </select>
      )}
      {graded && <span class="between">difficulty {bound("difficulty", 0, "Least difficulty")}{bound("difficulty", 1, "Greatest difficulty")}</span>}
      <span class="between">tokens {bound("tokens", 0, "Least tokens")}{bound("tokens", 1, "Most tokens")}</span>
      {changed && <button type="button" onClick={() => set(NO_FILTER)}>Clear</button>}
    </form>
  );
}
