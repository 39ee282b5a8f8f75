// From what is loaded and chosen to what is drawn.

import { useMemo } from "preact/hooks";
import { colours, type Theme } from "../palette";
import type { SearchData } from "../search/data";
import { colouring, type ColourBy, type Colouring } from "./colour";
import { layoutOf, type Layout } from "./layout";
import { openAtFirst, unitsOf, type Units } from "./units";

/** So many units are drawn before the reader opens more. */
const AT_FIRST = 400;

export interface Drawn {
  units: Units;
  layout: Layout;
  colouring: Colouring;
  best: number[];
  bestSet: ReadonlySet<number>;
  answer: number | undefined;
  proposed: ReadonlyMap<number, boolean | null>;
  isOpen: (place: number) => boolean;
}

/** `version` grows when nodes come or branches open. */
export function useDrawn(data: SearchData, version: string, room: number, by: ColourBy, theme: Theme): Drawn {
  const shape = useMemo(() => {
    const best = data.best();
    const bestSet = new Set(best);
    const first = openAtFirst(data.tree, bestSet, AT_FIRST);
    const isOpen = (place: number) => data.choices.get(place) ?? first.has(place);
    const units = unitsOf(data.tree, isOpen, bestSet, data.unfolded);
    const proposed = new Map<number, boolean | null>();
    for (const proposal of data.timeline?.proposals ?? []) {
      const place = data.tree.place(proposal.node);
      if (place !== undefined) proposed.set(place, proposal.right);
    }
    const answer = data.tree.place(data.detail?.node ?? null);
    return { units, layout: layoutOf(units, room), best, bestSet, answer, proposed, isOpen };
  }, [data, version, room]);
  const shades = useMemo(() => colouring(data.tree, by, colours()), [data, data.tree.length, by, theme]);
  return { ...shape, colouring: shades };
}

/** The colours that this search can be shown in, with their names. */
export function choicesOf(data: SearchData): [ColourBy, string][] {
  const scores = [...new Set([...(data.detail?.score_names ?? []), ...data.tree.scores.keys()])];
  const found: [ColourBy, string][] = data.tree.answer.some((a) => a !== null) ? [["answer", "answer"]] : [];
  for (const name of scores) found.push([`score:${name}`, name]);
  if (data.detail?.has.entropy) found.push(["entropy", "entropy (mean, nats)"], ["logprob", "log-probability (mean)"]);
  found.push(["born", "budget order"], ["tokens", "tokens"], ["behaviour", "behaviour"], ["finish", "how it ended"]);
  found.push(["origin", "origin"]);
  if (data.tree.roles.size > 1) found.push(["role", "role (which model)"]);
  return found;
}

/** What to show at first: the answers where there are two; else the first score that at least half of the nodes have, else the entropy. */
export function colourAtFirst(data: SearchData, choices: [ColourBy, string][]): ColourBy {
  if (data.tree.answer.filter((a) => a !== null).length > 1) return "answer";
  const has = (values: (number | null)[]) => values.reduce((n: number, v) => n + Number(v !== null), 0) * 2 >= data.tree.length;
  const score = [...data.tree.scores].find(([, values]) => has(values));
  if (score) return `score:${score[0]}`;
  return choices.find(([by]) => by === "entropy")?.[0] ?? choices[0]![0];
}
