// The tree of one search as columns, grown chunk by chunk. A node is known inside by its place (0, 1, …): parents come
// before children, so one pass forwards or backwards answers most questions.

import type { Finish, NodeColumns, Origin } from "../api/types";

export class Skeleton {
  readonly id: number[] = [];
  readonly parent: number[] = [];
  readonly beginningOf: (number | null)[] = [];
  readonly origin: Origin[] = [];
  /** Which model of the search wrote it. */
  readonly role: string[] = [];
  readonly finish: Finish[] = [];
  readonly label: string[] = [];
  readonly fate: string[] = [];
  /** The answer that the solution which ends here states. */
  readonly answer: (string | null)[] = [];
  readonly born: number[] = [];
  readonly tokens: number[] = [];
  readonly entropy: (number | null)[] = [];
  readonly logprob: (number | null)[] = [];
  readonly behaviours: string[][] = [];
  readonly text: string[] = [];
  readonly chars: number[] = [];
  /** The roles that there are, in order of their first node. */
  readonly roles = new Set<string>();
  readonly scores = new Map<string, (number | null)[]>();
  readonly children: number[][] = [];
  readonly depth: number[] = [];
  private readonly places = new Map<number, number>();
  /** After which node id the next chunk begins; null when all are here. */
  next: number | null = -1;

  get length(): number {
    return this.id.length;
  }

  place(id: number | null): number | undefined {
    return id === null ? undefined : this.places.get(id);
  }

  add(chunk: NodeColumns): void {
    for (let i = 0; i < chunk.id.length; i++) {
      const at = this.id.length;
      const parent = this.place(chunk.parent[i] ?? null) ?? -1;
      this.places.set(chunk.id[i]!, at);
      this.id.push(chunk.id[i]!);
      this.parent.push(parent);
      this.children.push([]);
      this.depth.push(parent < 0 ? 0 : this.depth[parent]! + 1);
      if (parent >= 0) this.children[parent]!.push(at);
      this.beginningOf.push(chunk.beginning_of[i] ?? null);
      this.origin.push(chunk.origin[i]!);
      this.role.push(chunk.role[i]!);
      this.roles.add(chunk.role[i]!);
      this.finish.push(chunk.finish[i]!);
      this.label.push(chunk.label[i]!);
      this.fate.push(chunk.fate[i]!);
      this.answer.push(chunk.answer[i] ?? null);
      this.born.push(chunk.born[i]!);
      this.tokens.push(chunk.tokens[i]!);
      this.entropy.push(chunk.entropy[i] ?? null);
      this.logprob.push(chunk.logprob[i] ?? null);
      this.behaviours.push(chunk.behaviours[i] ?? []);
      this.text.push(chunk.text[i]!);
      this.chars.push(chunk.chars[i]!);
    }
    for (const [name, values] of Object.entries(chunk.scores)) {
      const column = this.scores.get(name) ?? [];
      // A score that first appears in a later chunk is missing in the earlier ones.
      while (column.length < this.length - chunk.id.length) column.push(null);
      for (const value of values) column.push(value);
      this.scores.set(name, column);
    }
    this.next = chunk.next;
  }

  /** From the root to this place. */
  path(place: number): number[] {
    const found: number[] = [];
    for (let at = place; at >= 0; at = this.parent[at]!) found.push(at);
    return found.reverse();
  }

  score(name: string, place: number): number | null {
    return this.scores.get(name)?.[place] ?? null;
  }

  /** How many nodes hang below each place. */
  below(): Int32Array {
    return this.summed(() => 1);
  }

  /** How many tokens were spent below each place; what a node repeats of another is not counted again. */
  spentBelow(): Int32Array {
    return this.summed((at) => (this.beginningOf[at] === null ? this.tokens[at]! : 0));
  }

  private summed(own: (place: number) => number): Int32Array {
    const sums = new Int32Array(this.length);
    for (let at = this.length - 1; at > 0; at--) {
      const parent = this.parent[at]!;
      if (parent >= 0) sums[parent]! += sums[at]! + own(at);
    }
    return sums;
  }
}
