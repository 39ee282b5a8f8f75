// A list of rows of equal height; only the rows in sight are in the document.

import type { ComponentChildren, Ref } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useSize } from "./bits";

export const ROW_HEIGHT = 30;
const SPARE = 8;

interface Props {
  count: number;
  /** The row to keep in sight. */
  current: number;
  label: string;
  head: ComponentChildren;
  columns: string;
  /** Below this width (pixels) the list scrolls sideways. */
  least: number;
  row: (index: number) => ComponentChildren;
  focus?: Ref<HTMLDivElement>;
}

export function Rows({ count, current, label, head, columns, least, row, focus }: Props) {
  const [box, size] = useSize<HTMLDivElement>();
  const [top, setTop] = useState(0);
  const first = Math.max(0, Math.floor(top / ROW_HEIGHT) - SPARE);
  const after = Math.min(count, Math.ceil((top + size.height) / ROW_HEIGHT) + SPARE);
  useEffect(() => {
    const element = box.current;
    if (!element || current < 0) return;
    const y = current * ROW_HEIGHT;
    const inner = element.clientHeight - ROW_HEIGHT; // the head covers one row
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + ROW_HEIGHT > element.scrollTop + inner) element.scrollTop = y + ROW_HEIGHT - inner;
  }, [current, count, size.height]);
  const keep = (element: HTMLDivElement | null) => {
    box.current = element;
    if (typeof focus === "function") focus(element);
    else if (focus) focus.current = element;
  };
  const rows = [];
  for (let i = first; i < after; i++) rows.push(row(i));
  return (
    <div
      class="rows" ref={keep} role="grid" aria-label={label} aria-rowcount={count + 1} tabIndex={0}
      aria-activedescendant={current >= first && current < after ? `row-${current}` : undefined}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)} style={{ "--columns": columns, "--least": `${least}px` }}
    >
      <div class="row head" role="row" aria-rowindex={1}>{head}</div>
      <div class="sheet" role="rowgroup" style={{ height: `${count * ROW_HEIGHT}px` }}>
        <div class="window" role="presentation" style={{ transform: `translateY(${first * ROW_HEIGHT}px)` }}>{rows}</div>
      </div>
    </div>
  );
}
