// When each node was made and at which depth: it shows where a search goes deep, back, or wide.

import { scaleLinear } from "d3-scale";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { colours, useTheme } from "../palette";
import type { SearchData } from "../search/data";
import { AxisLeft } from "./axis";

const TOP = 26;

interface Props {
  data: SearchData;
  x: ReturnType<typeof scaleLinear<number, number>>;
  width: number;
  pick: (node: number) => void;
}

export function Births({ data, x, width, pick }: Props) {
  const ref = useRef<HTMLCanvasElement>(null);
  const theme = useTheme();
  const { tree } = data;
  const depth = useMemo(() => tree.depth.reduce((a, b) => Math.max(a, b), 1), [tree.length]);
  const height = Math.min(190, 60 + 24 * depth);
  const y = scaleLinear([0, depth], [height - 12, TOP]);
  useEffect(() => {
    const canvas = ref.current!;
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = canvas.getContext("2d")!;
    context.scale(ratio, ratio);
    const c = colours();
    const best = new Set(data.best());
    // The best path is drawn last, on top.
    for (const chosen of [false, true]) {
      context.fillStyle = chosen ? c.best : c.series[0]!;
      context.globalAlpha = chosen ? 1 : 0.55;
      const size = chosen ? 6 : tree.length > 2000 ? 2 : 4;
      for (let place = 0; place < tree.length; place++) {
        if (best.has(place) !== chosen) continue;
        context.fillRect(x(tree.born[place]!) - size / 2, y(tree.depth[place]!) - size / 2, size, size);
      }
    }
  }, [tree.length, width, theme, x.domain()[1]]);
  const press = (event: MouseEvent) => {
    const at = ref.current!.getBoundingClientRect();
    let nearest = 12;
    let found = -1;
    for (let place = 0; place < tree.length; place++) {
      const away = Math.hypot(x(tree.born[place]!) - (event.clientX - at.left), y(tree.depth[place]!) - (event.clientY - at.top));
      if (away < nearest) [nearest, found] = [away, place];
    }
    if (found >= 0) pick(tree.id[found]!);
  };
  return (
    <section>
      <h3>Nodes as they were made <small>height: depth in the tree; <b class="best">best path</b></small></h3>
      <div class="births" style={{ height: `${height}px` }}>
        <svg class="chart" width={width} height={height} aria-hidden="true">
          <AxisLeft scale={y} x={52} right={width - 16} label="" ticks={4} whole />
        </svg>
        <canvas
          ref={ref} onClick={press} role="img" style={{ width: `${width}px`, height: `${height}px` }}
          aria-label={`${tree.length} nodes over the tokens spent, to a depth of ${depth}`}
        />
      </div>
    </section>
  );
}
