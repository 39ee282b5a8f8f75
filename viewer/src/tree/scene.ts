// From what is loaded and chosen to what is drawn.

import { useMemo } from "preact/hooks";
import { colours, type Theme } from "../palette";
import type { SearchData } from "../search/data";
import { colouring, type ColourBy, type Colouring } from "./colour";
import { PAD, READABLE } from "./camera";
import { layoutOf, ROW, type Layout } from "./layout";
import { openAtFirst, unitsOf, type Units } from "./units";

/** So many rows are drawn before the reader opens more, however small the window. */
const FEWEST_ROWS = 20;
/** Branches stand a little further apart than rows. */
const LOOSE = 1.1;

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

/** `version` grows when nodes come or branches open; `room`: width for the picture; `height`: of what is in sight. */
export function useDrawn(data: SearchData, version: string, room: number, height: number, by: ColourBy, theme: Theme): Drawn {
  const rows = Math.max(FEWEST_ROWS, Math.floor(height / (ROW * READABLE * LOOSE)) - 2);
  const shape = useMemo(() => {
    const best = data.best();
    const bestSet = new Set(best);
    const first = openAtFirst(data.tree, bestSet, rows);
    const isOpen = (place: number) => data.choices.get(place) ?? first.has(place);
    const units = unitsOf(data.tree, isOpen, bestSet, data.unfolded);
    const proposed = new Map<number, boolean | null>();
    for (const proposal of data.timeline?.proposals ?? []) {
      const place = data.tree.place(proposal.node);
      if (place !== undefined) proposed.set(place, proposal.right);
    }
    const answer = data.tree.place(data.detail?.node ?? null);
    return { units, layout: layoutOf(units, room - 2 * PAD), best, bestSet, answer, proposed, isOpen };
  }, [data, version, room, rows]);
  const shades = useMemo(() => colouring(data.tree, by, colours(), data.detail?.node ?? null), [data, data.tree.length, by, theme]);
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

/** What to show at first: the answers where two nodes state the same; else the first score that at least half of the nodes have, else the entropy. */
export function colourAtFirst(data: SearchData, choices: [ColourBy, string][]): ColourBy {
  const stated = data.tree.answer.filter((a) => a !== null);
  if (new Set(stated).size < stated.length) return "answer";
  const has = (values: (number | null)[]) => values.reduce((n: number, v) => n + Number(v !== null), 0) * 2 >= data.tree.length;
  const score = [...data.tree.scores].find(([, values]) => has(values));
  if (score) return `score:${score[0]}`;
  return choices.find(([by]) => by === "entropy")?.[0] ?? choices[0]![0];
}
