// All that is drawn, small; a press leads there. Shown when the whole does not fit.

import { useEffect, useRef } from "preact/hooks";
import { colours, type Theme } from "../palette";
import type { Drawn } from "./scene";
import { last } from "./units";

const WIDTH = 150;
const HEIGHT = 96;

interface Props {
  drawn: Drawn;
  theme: Theme;
  /** What the main picture shows, in units of the layout. */
  view: { x: number; y: number; width: number; height: number };
  look: (x: number, y: number) => void;
}

export function Minimap({ drawn, theme, view, look }: Props) {
  const ref = useRef<HTMLCanvasElement>(null);
  const { layout, units, bestSet } = drawn;
  const scale = [WIDTH / Math.max(1, layout.right - layout.left), HEIGHT / Math.max(1, layout.bottom - layout.top + 20)] as const;
  useEffect(() => {
    const canvas = ref.current!;
    const ratio = devicePixelRatio || 1;
    canvas.width = WIDTH * ratio;
    canvas.height = HEIGHT * ratio;
    const context = canvas.getContext("2d")!;
    const c = colours();
    context.scale(ratio, ratio);
    for (const best of [false, true]) {
      context.fillStyle = best ? c.best : c.muted;
      for (const unit of units.all) {
        if (bestSet.has(last(unit)) !== best) continue;
        const box = layout.boxes.get(unit)!;
        const y = (box.y - layout.top + 10) * scale[1];
        context.fillRect(box.x * scale[0], y, Math.max(1.5, box.width * scale[0]), best ? 2 : 1);
      }
    }
    context.strokeStyle = c.accent;
    context.lineWidth = 1.5;
    context.strokeRect(
      view.x * scale[0],
      (view.y - layout.top + 10) * scale[1],
      view.width * scale[0],
      view.height * scale[1],
    );
  }, [drawn, theme, view.x, view.y, view.width, view.height]);
  const press = (event: PointerEvent) => {
    if (event.buttons !== 1) return;
    const box = ref.current!.getBoundingClientRect();
    look((event.clientX - box.left) / scale[0], (event.clientY - box.top) / scale[1] + layout.top - 10);
  };
  return (
    <canvas
      ref={ref} class="minimap" aria-hidden="true" onPointerDown={press} onPointerMove={press}
      style={{ width: `${WIDTH}px`, height: `${HEIGHT}px` }}
    />
  );
}
