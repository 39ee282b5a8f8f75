// The text from the prompt to a node, with its tokens.

import { useEffect, useRef, useState } from "preact/hooks";
import type { NodePage } from "../api/types";
import type { SearchData } from "../search/data";
import { useKeys } from "../ui/keys";
import { AboutToken, spoken, type At } from "./about";
import { Block } from "./block";
import { LEVELS, type Tint } from "./tokens";

interface Props {
  data: SearchData;
  node: number | null;
  pick: (node: number) => void;
  active: boolean;
}

let lastTint: Tint = "logprob";

const SCALE: Record<Exclude<Tint, "none">, [string, string]> = {
  logprob: ["p = 1", "≤ 0.01"],
  entropy: ["0 nats", "≥ 3"],
  importance: ["0", "greatest"],
};

export function Reader({ data, node, pick, active }: Props) {
  const { tree, detail } = data;
  const [tint, setTint] = useState<Tint>(lastTint);
  const [at, setAt] = useState<At | null>(null);
  const [spokenOf, setSpoken] = useState("");
  // The observers need the scrolled element itself, so it is state: the blocks come after it is there.
  const [root, setRoot] = useState<HTMLDivElement | null>(null);
  const pages = useRef(new Map<string, NodePage>());
  const cursor = useRef<HTMLElement | null>(null);
  const target = node ?? detail?.best_path.at(-1) ?? 0;
  const place = tree.place(target);
  const ids = place === undefined ? (detail?.best_path ?? []) : tree.path(place).map((p) => tree.id[p]!);
  const key = ids.join(",");
  useEffect(() => {
    setAt(null);
    const block = root?.querySelector<HTMLElement>(`[data-block="${target}"]`);
    if (!root || !block) return;
    // Only the text is scrolled, not what is around it. A node that is in sight already stays where it is.
    const [top, bottom] = [block.offsetTop - root.offsetTop, block.offsetTop - root.offsetTop + block.offsetHeight];
    if (top < root.scrollTop || bottom > root.scrollTop + root.clientHeight) root.scrollTop = top - root.clientHeight / 3;
  }, [root, key]);

  const about = (token: HTMLElement | null): At | null => {
    const page = pages.current.get((token?.closest("[data-page]") as HTMLElement | null)?.dataset.page ?? "");
    return token && page ? { page, index: Number(token.dataset.i), box: token.getClientRects()[0]! } : null;
  };
  const over = (event: PointerEvent) => {
    const token = (event.target as Element).closest<HTMLElement>("[data-i]");
    if (token === cursor.current) return;
    mark(token);
    setAt(about(token));
  };
  const mark = (token: HTMLElement | null) => {
    cursor.current?.classList.remove("here");
    cursor.current = token;
    token?.classList.add("here");
  };
  const move = (step: number) => {
    const tokens = [...(root?.querySelectorAll<HTMLElement>("[data-i]") ?? [])];
    if (!tokens.length) return;
    const known = cursor.current ? tokens.indexOf(cursor.current) : -1;
    // Without a token in hand, the first one in sight.
    const first = () => tokens.findIndex((t) => t.getBoundingClientRect().top >= root!.getBoundingClientRect().top);
    const to = known < 0 ? Math.max(0, first()) : Math.max(0, Math.min(tokens.length - 1, known + step));
    const token = tokens[to]!;
    mark(token);
    token.scrollIntoView({ block: "nearest" });
    const found = about(token);
    setAt(found);
    if (found) setSpoken(spoken(found.page, found.index));
  };
  const scroll = (by: number) => root?.scrollBy({ top: by * root.clientHeight });
  useKeys(
    {
      ArrowRight: () => move(1), ArrowLeft: () => move(-1),
      ArrowDown: () => scroll(0.15), ArrowUp: () => scroll(-0.15), " ": () => scroll(0.85),
      PageDown: () => scroll(0.85), PageUp: () => scroll(-0.85),
      Home: () => root?.scrollTo({ top: 0 }), End: () => root?.scrollTo({ top: root.scrollHeight }),
    },
    active,
  );
  const tints: [Tint, string][] = [["logprob", "log-probability"], ["entropy", "entropy"], ["importance", "importance"], ["none", "none"]];
  return (
    <div class="reader">
      <div class="bar">
        <label>
          Tokens{" "}
          <select value={tint} onChange={(event) => setTint((lastTint = event.currentTarget.value as Tint))}>
            {tints.map(([value, name]) => (
              <option value={value} disabled={value === "importance" && !detail?.has.importance}>{name}</option>
            ))}
          </select>
        </label>
        {tint !== "none" && (
          <span class={`legend tint-${tint}`}>
            <span>{SCALE[tint][0]}</span>
            <span class="ramp" aria-hidden="true">{Array.from({ length: LEVELS }, (_, i) => <i class={`t${i + 1}`} />)}</span>
            <span>{SCALE[tint][1]}</span>
          </span>
        )}
        <span class="space" />
        <span class="quiet">{ids.length} nodes, prompt to node {target}</span>
      </div>
      <div
        class={`path tint-${tint}`} ref={setRoot} tabIndex={0} role="region" aria-label={`Text up to node ${target}`}
        onPointerOver={over} onPointerLeave={() => (mark(null), setAt(null))} onScroll={() => at && setAt(null)}
      >
        {root && ids.map((id) => (
          <Block
            key={`${data.run}:${data.id}:${id}`} data={data} id={id} tint={tint} root={root} current={id === target}
            pick={() => pick(id)} keep={(name, page) => void pages.current.set(name, page)}
          />
        ))}
      </div>
      <p class="hidden" role="status">{spokenOf}</p>
      {at && <AboutToken at={at} said={data.said} />}
    </div>
  );
}
