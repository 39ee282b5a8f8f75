// Small parts that several pages share.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Search } from "../api/tables";
import { GetError } from "../api/get";
import { mark } from "../list/filter";
import { line, nameOf, pieces } from "../text/visible";

const SIGNS = { right: "✓", wrong: "✗", part: "◐", none: "–", failed: "!", ungraded: "?" } as const;
const SAID = {
  right: "right", wrong: "wrong", part: "partly right", none: "no answer", failed: "failed", ungraded: "not graded",
} as const;

/** Right or wrong, shown by shape and by colour. */
export function MarkOf({ search }: { search: Search }) {
  const kind = mark(search);
  return (
    <span class={`mark ${kind}`} role="img" aria-label={SAID[kind]} title={SAID[kind]}>
      {SIGNS[kind]}
    </span>
  );
}

export function Right({ right }: { right: boolean | null }) {
  if (right === null) return <span class="mark ungraded" role="img" aria-label="not graded">?</span>;
  return (
    <span class={`mark ${right ? "right" : "wrong"}`} role="img" aria-label={right ? "right" : "wrong"}>
      {right ? "✓" : "✗"}
    </span>
  );
}

/** Text of a trace. Hidden characters are named, and its writing direction ends with it. */
export function Shown({ text, as = "span" }: { text: string; as?: "span" | "div" }) {
  const Tag = as;
  return (
    <Tag class="shown" dir="auto">
      {pieces(text).map((piece) =>
        typeof piece === "string" ? piece : <Control code={piece.code} />,
      )}
    </Tag>
  );
}

export function Control({ code }: { code: number }) {
  const hex = code.toString(16).toUpperCase().padStart(4, "0");
  return <span class="control" title={`U+${hex}`}>{nameOf(code)}</span>;
}

/** One line of it. */
export function Line({ text, limit }: { text: string | null; limit?: number }) {
  if (text === null) return <span class="quiet">–</span>;
  const shown = line(text, limit);
  return <bdi class="line">{shown || "‹empty›"}</bdi>;
}

export function Trouble({ error }: { error: unknown }) {
  const known = error instanceof GetError;
  return (
    <div class="trouble" role="alert">
      <b>{known ? error.message : String(error)}</b>
      {known && <p>{error.cure}</p>}
    </div>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}

/** The size of an element, kept up to date. */
export function useSize<E extends HTMLElement>(): [{ current: E | null }, { width: number; height: number }] {
  const ref = useRef<E>(null);
  const [size, set] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const watch = new ResizeObserver(() => set({ width: element.clientWidth, height: element.clientHeight }));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return [ref, size];
}

/** The result of an asynchronous request; null until it is there. */
export function useAnswer<T>(ask: () => Promise<T>, keys: unknown[]): { value: T | null; error: unknown } {
  const [state, set] = useState<{ value: T | null; error: unknown }>({ value: null, error: null });
  useEffect(() => {
    let here = true;
    set({ value: null, error: null });
    ask().then(
      (value) => here && set({ value, error: null }),
      (error: unknown) => here && set({ value: null, error }),
    );
    return () => void (here = false);
  }, keys);
  return state;
}

export function Tabs<T extends string>(props: { label: string; tabs: [T, string][]; now: T; pick: (tab: T) => void }) {
  const move = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const at = props.tabs.findIndex(([tab]) => tab === props.now);
    const [tab] = props.tabs[(at + step + props.tabs.length) % props.tabs.length]!;
    props.pick(tab);
    const list = event.currentTarget as HTMLElement;
    requestAnimationFrame(() => list.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
  };
  return (
    <div class="tabs" role="tablist" aria-label={props.label} onKeyDown={move}>
      {props.tabs.map(([tab, name]) => (
        <button role="tab" aria-selected={tab === props.now} tabIndex={tab === props.now ? 0 : -1} onClick={() => props.pick(tab)}>
          {name}
        </button>
      ))}
    </div>
  );
}
