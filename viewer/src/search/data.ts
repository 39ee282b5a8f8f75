// One search with its tree, loaded chunk by chunk; parts of the page that show it are told when more has come.

import { useEffect, useMemo, useState } from "preact/hooks";
import { get } from "../api/get";
import type { NodeColumns, ResultDetail, Timeline } from "../api/types";
import { Skeleton } from "../tree/skeleton";

/** So many nodes are loaded without being asked for. */
export const FIRST = 20_000;
const TELL_EVERY = 250;

export class SearchData extends EventTarget {
  detail: ResultDetail | null = null;
  timeline: Timeline | null = null;
  readonly tree = new Skeleton();
  error: unknown = null;
  loading = false;
  /** Branches that the user opened or closed, by the place of the fork. */
  readonly choices = new Map<number, boolean>();
  /** Forks whose alike branches the user wants to see one by one. */
  readonly unfolded = new Set<number>();
  /** Token id → its text, where one was seen in this search. */
  readonly said = new Map<number, string>();
  private wanted = 0;
  private told = 0;

  constructor(
    readonly run: number,
    readonly id: number,
  ) {
    super();
  }

  get path(): string {
    return `runs/${this.run}/results/${this.id}`;
  }

  private tell(now = true): void {
    if (!now && performance.now() - this.told < TELL_EVERY) return;
    this.told = performance.now();
    this.dispatchEvent(new Event("more"));
  }

  async open(): Promise<void> {
    this.loading = true;
    try {
      this.detail = await get<ResultDetail>(this.path);
      this.tell();
      this.timeline = await get<Timeline>(this.path + "/timeline");
      this.loading = false;
      await this.load(FIRST);
    } catch (error) {
      this.error = error;
      this.loading = false;
      this.tell();
    }
  }

  private missing(): boolean {
    const needed = [...(this.detail?.best_path ?? []), ...(this.detail?.node != null ? [this.detail.node] : [])];
    return needed.some((id) => this.tree.place(id) === undefined);
  }

  /** Loads until there are so many nodes, and all of the best path. */
  async load(until: number): Promise<void> {
    this.wanted = Math.max(this.wanted, until);
    if (this.loading) return;
    this.loading = true;
    try {
      while (this.tree.next !== null && (this.tree.length < this.wanted || this.missing())) {
        this.tree.add(await get<NodeColumns>(`${this.path}/nodes?after=${this.tree.next}`));
        this.tell(false);
      }
    } catch (error) {
      this.error = error;
    }
    this.loading = false;
    this.tell();
  }

  /** Places of the best path, as far as loaded. */
  best(): number[] {
    return (this.detail?.best_path ?? []).map((id) => this.tree.place(id)).filter((p): p is number => p !== undefined);
  }
}

// The searches looked at last; going back and forth between two of them asks for nothing again.
const KEPT = 6;
const kept = new Map<string, SearchData>();

export function searchData(run: number, id: number): SearchData {
  const key = `${run}:${id}`;
  let data = kept.get(key);
  if (!data || data.error) {
    data = new SearchData(run, id);
    void data.open();
  }
  kept.delete(key);
  kept.set(key, data);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
  return data;
}

/** The search, and a number that changes when more of it has come. */
export function useSearch(run: number, id: number): [SearchData, number] {
  const [, redraw] = useState(0);
  const data = useMemo(() => searchData(run, id), [run, id]);
  useEffect(() => {
    const on = () => redraw((n) => n + 1);
    data.addEventListener("more", on);
    on();
    return () => data.removeEventListener("more", on);
  }, [data]);
  return [data, data.tree.length * 2 + Number(data.loading)];
}
