// The parts that only reckon: filters, the shape of a tree, the text that is shown, and addresses.

import { describe, expect, it } from "vitest";
import { addProblems, addResults, neighbour, newTables, type Tables } from "../src/api/tables";
import type { NodeColumns, Proposal, Run } from "../src/api/types";
import { filtered, NO_FILTER, sorted } from "../src/list/filter";
import { format, parse } from "../src/route";
import { line, pieces } from "../src/text/visible";
import { flips, held } from "../src/timeline/flips";
import { layoutOf } from "../src/tree/layout";
import { Skeleton } from "../src/tree/skeleton";
import { openAtFirst, unitsOf } from "../src/tree/units";
import { walk } from "../src/tree/walk";
import { ending, why } from "../src/tree/why";

const NONE: ReadonlySet<number> = new Set();
const run = { index: 0, methods: ["greedy", "beam"], seeds: [0] } as unknown as Run;

function tables(): Tables {
  const made = newTables(run);
  addProblems(made, {
    number: [0, 1, 2], id: ["a", "b", "c"], family: ["x", "x", "y"], difficulty: [1, null, 3],
    question: ["What is 2+2?", "How many apples?", "Apples again"], reference: ["4", "7", null], next: null,
  });
  addResults(made, {
    id: [1, 2, 3, 4, 5], problem: [0, 0, 1, 1, 2], method: [0, 1, 0, 1, 1], seed: [0, 0, 0, 0, 0],
    status: ["answered", "answered", "exhausted", "answered", "abstained"], value: ["4", "5", null, "7", null],
    grade: [1, 0, 0, 1, null], confidence: [null, null, null, null, null], tokens: [10, 300, 50, 90, 70],
    generated: [1, 1, 1, 1, 1], seconds: [1, 1, 1, 1, 1], nodes: [1, 1, 1, 1, 1], error: ["", "", "", "", ""], next: null,
  });
  return made;
}

const ids = (found: { id: string }[]) => found.map((p) => p.id).join("");

describe("filters", () => {
  it("takes a problem when one search meets all conditions on searches", () => {
    const t = tables();
    expect(ids(filtered(t, { ...NO_FILTER, outcome: "right" }))).toBe("ab");
    expect(ids(filtered(t, { ...NO_FILTER, outcome: "right", method: 1 }))).toBe("b");
    expect(ids(filtered(t, { ...NO_FILTER, method: 1, tokens: [80, 200] }))).toBe("b");
    expect(ids(filtered(t, { ...NO_FILTER, outcome: "differ" }))).toBe("ab");
    expect(ids(filtered(t, { ...NO_FILTER, status: "abstained" }))).toBe("c");
  });
  it("finds all words in question, reference or answers", () => {
    expect(ids(filtered(tables(), { ...NO_FILTER, text: "apples" }))).toBe("bc");
    expect(ids(filtered(tables(), { ...NO_FILTER, text: "apples 7" }))).toBe("b");
    expect(ids(filtered(tables(), { ...NO_FILTER, difficulty: [2, null] }))).toBe("c");
  });
  it("sorts what has no measure last, whichever way", () => {
    const t = tables();
    expect(ids(sorted(t.problems, { key: "difficulty", down: false }, null))).toBe("acb");
    expect(ids(sorted(t.problems, { key: "difficulty", down: true }, null))).toBe("cab");
    expect(ids(sorted(t.problems, { key: "tokens", down: true }, null))).toBe("abc");
  });
  it("goes to the next problem's search of the same method, else to what there is", () => {
    const t = tables();
    expect(neighbour(t, t.searches.get(1)!, 1)?.id).toBe(3);
    expect(neighbour(t, t.searches.get(3)!, 1)?.id).toBe(5);
    expect(neighbour(t, t.searches.get(5)!, 1)).toBeNull();
  });
});

/** A tree from its parents; each further option is a column. */
function tree(parents: (number | null)[], more: Partial<NodeColumns> = {}): Skeleton {
  const all = <T>(value: T) => parents.map(() => value);
  const made = new Skeleton();
  made.add({
    id: parents.map((_, i) => i), parent: parents, beginning_of: all(null), origin: all("sampled"), role: all("generate"), answer: all(null), finish: all("step"),
    label: all(""), fate: all(""), born: all(0), tokens: all(1), entropy: all(null), logprob: all(null), scores: {},
    behaviours: all([]), text: all("t"), chars: all(1), cut: all(0), next: null, ...more,
  });
  return made;
}

describe("tree", () => {
  it("draws chains as one unit and counts what a closed one hides", () => {
    const t = tree([null, 0, 1, 2, 2, 3, 3]);
    const units = unitsOf(t, () => true, NONE, NONE);
    expect(units.all.map((u) => u.nodes)).toEqual([[0, 1, 2], [3], [4], [5], [6]]);
    const closed = unitsOf(t, (place) => place !== 2, NONE, NONE);
    expect(closed.all).toHaveLength(1);
    expect(closed.all[0]!.hidden).toBe(4);
    expect(closed.at[5]).toBeUndefined();
  });
  it("opens the best path however large the tree is", () => {
    const parents: (number | null)[] = [null];
    for (let i = 1; i < 5000; i++) parents.push(Math.floor((i - 1) / 3));
    const t = tree(parents);
    const best = new Set(t.path(4999));
    const open = openAtFirst(t, best, 100);
    const units = unitsOf(t, (place) => open.has(place), NONE, NONE);
    expect([...best].every((place) => units.at[place])).toBe(true);
    expect(units.all.length).toBeLessThan(150);
    // In a small window the best path is open all the same, and what is closed says what was spent there.
    const few = openAtFirst(t, best, 10);
    expect([...best].every((place) => few.has(place) || t.children[place]!.length < 2)).toBe(true);
    const shown = unitsOf(t, (place) => few.has(place), best, NONE).all;
    const [drawn, spent] = [shown.flatMap((u) => u.nodes).length, shown.reduce((sum, u) => sum + u.spent, 0)];
    expect(drawn).toBeLessThan(30);
    expect(spent).toBeCloseTo((4999 - (drawn - 1)) / 4999, 6);
  });
  it("gives each leaf a row of its own", () => {
    const units = unitsOf(tree([null, 0, 0, 1, 1, 0]), () => true, NONE, NONE);
    const { boxes } = layoutOf(units, 1000);
    const rows = units.all.filter((u) => !u.forks).map((u) => boxes.get(u)!.y);
    expect(Math.min(...rows.flatMap((a, i) => rows.slice(i + 1).map((b) => Math.abs(a - b))))).toBeGreaterThanOrEqual(20);
  });
  it("lays out a chain of 20,000 forks", () => {
    const parents: (number | null)[] = [null];
    for (let i = 0; i < 20_000; i++) parents.push(i * 2 || 0, i * 2 || 0);
    expect(() => layoutOf(unitsOf(tree(parents), () => true, NONE, NONE), 1000)).not.toThrow();
  }, 60_000);
  it("walks along the best path, and back to it from elsewhere", () => {
    const t = tree([null, 0, 0, 1, 2]);
    const units = unitsOf(t, () => true, NONE, NONE);
    const layout = layoutOf(units, 1000);
    const rows = (place: number) => layout.boxes.get(units.at[place]!)!.y;
    const step = (from: number, to: "best" | "child" | "down" | "parent") => walk(t, units, rows, [0, 2, 4], from, to);
    expect(step(0, "best")).toBe(2);
    expect(step(4, "best")).toBe(4);
    expect(step(3, "best")).toBe(0);
    expect(step(0, "child")).toBe(2);
    expect(step(1, "down")).toBe(2);
    expect(step(0, "parent")).toBe(0);
  });
  it("says why a branch went no further, by the scores where they tell", () => {
    const t = tree([null, 0, 0, 1], { fate: ["", "", "pruned", ""], scores: { value: [null, 0.9, 0.2, null] }, finish: ["step", "step", "step", "end"] });
    expect(ending(t, 2, 3)).toBe("dropped");
    const scores = " Its value was 0.2; the sibling that went on has 0.9.";
    expect(why(t, 2, 3)).toMatch(/^Pruned: .*\./);
    expect(why(t, 2, 3).endsWith(scores)).toBe(true);
    t.fate[2] = "boring";
    expect(why(t, 2, 3)).toBe("The method says: boring." + scores);
    t.fate[2] = "pruned";
    expect(why(t, 3, 3)).toContain("answer");
    expect(ending(t, 3, undefined)).toBe("complete");
  });
  it("keeps scores that appear in a later chunk in their place", () => {
    const t = tree([null]);
    t.add({
      id: [1], parent: [0], beginning_of: [null], origin: ["sampled"], role: ["generate"], answer: [null], finish: ["end"], label: [""], fate: [""], born: [1], tokens: [1],
      entropy: [1], logprob: [-1], scores: { value: [0.5] }, behaviours: [[]], text: [""], chars: [0], cut: [0], next: null,
    });
    expect([t.score("value", 0), t.score("value", 1)]).toEqual([null, 0.5]);
  });
});

describe("text", () => {
  it("names what has no shape or turns text around, and loses nothing else", () => {
    expect(pieces("a\u202eb")).toEqual(["a", { code: 0x202e }, "b"]);
    expect(pieces("x\u0000\r\ny")).toEqual(["x", { code: 0 }, "\ny"]);
    expect(pieces("👩‍👩‍👧")).toEqual(["👩‍👩‍👧"]);
    expect(pieces("\ud83d half")).toEqual([{ code: 0xd83d }, " half"]);
    expect(line("a\n\tb\u2028c")).toBe("a b‹LSEP›c");
    expect(line("x".repeat(1_000_000), 10)).toBe("xxxxxxxxx…");
  });
});

describe("answers held", () => {
  const at = (tokens: number, value: string | null, right: boolean | null): Proposal => ({
    number: 0, value, confidence: null, node: 1, tokens, generated: tokens, seconds: tokens, right,
  });
  it("joins the same answer and tells gains from losses", () => {
    const found = held([at(1, "a", false), at(2, "a", false), at(3, "b", true), at(4, "a", false)], "tokens", 9);
    expect(found.map((h) => [h.from, h.to, h.value])).toEqual([[1, 3, "a"], [3, 4, "b"], [4, 9, "a"]]);
    expect(flips(found).map((f) => f.kind)).toEqual(["gained", "lost"]);
  });
});

describe("addresses", () => {
  it("come back as they went", () => {
    for (const hash of ["#/r/0", "#/r/1?problem=4", "#/r/0/report", "#/r/0/results/17?view=text&node=5", "#/split?a=0:17&b=1:3&view=tree"]) {
      expect(format(parse(hash))).toBe(hash);
    }
    expect(parse("#/r/x/results/-1?view=<script>").page).toBe("problems");
  });
});
