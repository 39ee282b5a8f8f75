// One node of a path: who wrote it and how it ended, and its text, loaded when it comes into sight.

import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../api/get";
import type { NodePage } from "../api/types";
import type { SearchData } from "../search/data";
import { short, whole as count } from "../text/number";
import { Trouble } from "../ui/bits";
import { learn, type Tint } from "./tokens";
import { PageText } from "./text";

const LINE = 21;
const PER_LINE = 90;
/** Lines of a prompt that are shown of themselves. */
const FOLD = 8;

/** Whether the element is near what is in sight. */
function useNear(root: Element | null): [{ current: HTMLElement | null }, boolean] {
  const ref = useRef<HTMLElement>(null);
  const [near, set] = useState(false);
  useEffect(() => {
    if (!ref.current) return;
    const watch = new IntersectionObserver(([entry]) => set(entry!.isIntersecting), { root, rootMargin: "900px 0px" });
    watch.observe(ref.current);
    return () => watch.disconnect();
  }, [root]);
  return [ref, near];
}

interface BlockProps {
  data: SearchData;
  id: number;
  tint: Tint;
  root: Element | null;
  current: boolean;
  pick: () => void;
  keep: (key: string, page: NodePage) => void;
}

export function Block({ data, id, tint, root, current, pick, keep }: BlockProps) {
  const { tree } = data;
  const place = tree.place(id);
  const [pages, setPages] = useState<NodePage[]>([]);
  const [error, setError] = useState<unknown>(null);
  const [ref, near] = useNear(root);
  const [whole, setWhole] = useState(false);
  const asking = useRef(false);
  const next = pages.length ? pages.at(-1)!.next : 0;
  const more = async () => {
    if (asking.current || next === null) return;
    asking.current = true;
    try {
      const page = await get<NodePage>(`${data.path}/nodes/${id}?from=${next}`);
      learn(page, data.said);
      keep(`${id}:${page.from}`, page);
      setPages((known) => (known.length ? [...known, page] : [page]));
    } catch (failure) {
      setError(failure);
    }
    asking.current = false;
  };
  useEffect(() => {
    if (near && !pages.length) void more();
  }, [near]);
  const origin = pages[0]?.origin ?? (place === undefined ? "sampled" : tree.origin[place]!);
  const scores = place === undefined ? [] : [...tree.scores.keys()].map((n) => [n, tree.score(n, place)] as const).filter(([, v]) => v !== null);
  // A long prompt would push what the model wrote out of sight: of it only the end is shown, where the question is.
  const folds = origin === "prompt" && (pages[0]?.text.split("\n").length ?? 0) > FOLD;
  const rows = place === undefined ? 1 : Math.min(400, Math.ceil(tree.chars[place]! / PER_LINE));
  return (
    <section
      ref={(e) => void (ref.current = e)} class={`block ${origin} ${current ? "current" : ""}`} data-block={id}
      aria-label={`node ${id}, ${origin}`}
    >
      <header>
        <button class="link" onClick={pick} title="Select this node">{id}</button>
        <b class={`origin ${origin}`}>{origin}</b>
        {place !== undefined && (
          <>
            <span class="quiet">{tree.label[place]}</span>
            <span class="quiet">{count(tree.tokens[place])} t{tree.finish[place] !== "step" && ` · ${tree.finish[place]}`}</span>
            {scores.map(([name, value]) => <span class="quiet">{name} {short(value)}</span>)}
            {tree.behaviours[place]!.map((name) => <Behaviour name={name} />)}
          </>
        )}
        {folds && (
          <button class="link" aria-expanded={whole} onClick={() => setWhole(!whole)}>{whole ? "show its end only" : "show the whole prompt"}</button>
        )}
      </header>
      <div class={folds && !whole ? "block-text folded" : "block-text"} style={pages.length ? undefined : { minHeight: `${rows * LINE}px` }}>
        {error !== null && <Trouble error={error} />}
        {pages.map((page) => <LazyPage page={page} tint={tint} root={root} key={page.from} />)}
        {pages.length > 0 && next !== null && <Sentinel root={root} seen={() => void more()} key={next} />}
      </div>
    </section>
  );
}

/** Tokens exist only near the sight: a million characters of them would be too many elements. */
function LazyPage({ page, tint, root }: { page: NodePage; tint: Tint; root: Element | null }) {
  const [ref, near] = useNear(root);
  return <span ref={(e) => void (ref.current = e)} data-page={`${page.id}:${page.from}`}><PageText page={page} tint={tint} live={near} /></span>;
}

function Sentinel({ root, seen }: { root: Element | null; seen: () => void }) {
  const [ref, near] = useNear(root);
  useEffect(() => {
    if (near) seen();
  }, [near]);
  return <div ref={(e) => void (ref.current = e)} class="quiet">loading…</div>;
}

export function Behaviour({ name }: { name: string }) {
  return <span class="chip" style={{ "--c": `var(--behaviours-${name.replace(/\W/g, "")}, var(--none))` }}>{name}</span>;
}
