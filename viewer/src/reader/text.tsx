// One page of a node's text, as tokens where the page is in sight, as plain text elsewhere.

import { memo } from "preact/compat";
import type { NodePage } from "../api/types";
import { pieces } from "../text/visible";
import { Control, Shown } from "../ui/bits";
import { levels, spans, type Tint } from "./tokens";

function Token({ text, index, level }: { text: string; index: number; level: number }) {
  const parts = pieces(text);
  return (
    <span class={level ? `t t${level}` : "t"} data-i={index}>
      {parts.map((piece) =>
        typeof piece !== "string" ? <Control code={piece.code} /> : level && piece.includes("\n") ? <Breaks text={piece} /> : piece,
      )}
    </span>
  );
}

/** A newline has no width of its own to be tinted on: a sign stands for it, which is not part of the text. */
function Breaks({ text }: { text: string }) {
  return <>{text.split("\n").flatMap((part, i) => (i ? [<i class="nl" />, "\n", part] : [part]))}</>;
}

export const PageText = memo(function PageText({ page, tint, live }: { page: NodePage; tint: Tint; live: boolean }) {
  if (!live || !page.tokens.offset.length) return <Shown text={page.text} />;
  const shades = levels(page, tint);
  const ranges = spans(page);
  const before = page.text.slice(0, ranges[0]![0]);
  return (
    <span class="shown" dir="auto">
      {before}
      {ranges.map(([from, to], i) => to > from && <Token text={page.text.slice(from, to)} index={i} level={shades?.[i] ?? 0} />)}
    </span>
  );
});
