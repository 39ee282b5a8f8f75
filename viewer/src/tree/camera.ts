// Zoom and pan of one canvas (d3-zoom), and where to look.

import { select } from "d3-selection";
import { zoom, zoomIdentity, type ZoomBehavior, type ZoomTransform } from "d3-zoom";
import type { Layout } from "./layout";

/** Room around the tree. */
export const PAD = 28;
/** At this scale the words can still be read with ease. */
export const READABLE = 0.9;
/** Rows of two pixels: in a smaller picture no rows can be told apart, and the small map says as much. */
const LEAST = 0.1;

export class CameraControl {
  private readonly behaviour: ZoomBehavior<HTMLCanvasElement, unknown>;
  now: ZoomTransform = zoomIdentity;
  /** Whether the reader has moved it: then the page does not move it by itself any more. */
  moved = false;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    redraw: () => void,
  ) {
    this.behaviour = zoom<HTMLCanvasElement, unknown>()
      .scaleExtent([LEAST / 4, 4])
      .on("zoom", (event: { transform: ZoomTransform; sourceEvent: unknown }) => {
        this.now = event.transform;
        if (event.sourceEvent) this.moved = true;
        redraw();
      });
    select(canvas).call(this.behaviour).on("dblclick.zoom", null);
  }

  destroy(): void {
    select(this.canvas).on(".zoom", null);
  }

  private to(transform: ZoomTransform): void {
    select(this.canvas).call(this.behaviour.transform, transform);
  }

  by(factor: number): void {
    this.moved = true;
    select(this.canvas).call(this.behaviour.scaleBy, factor);
  }

  /** How much smaller it must be for all rows to be in sight. */
  scaleFor(layout: Layout, height: number): number {
    return Math.max(LEAST, Math.min(1, height / (layout.bottom - layout.top + 2 * PAD)));
  }

  /** All of it, if its words can still be read; else the root and what fits beside it. `y`: what to keep in the middle. */
  fit(layout: Layout, width: number, height: number, y: number, whole = false): void {
    const wide = layout.end - layout.left;
    const high = layout.bottom - layout.top + 2 * PAD;
    const least = whole ? LEAST : READABLE;
    // A small tree that is fitted by hand fills the picture; at first its words keep the size of the page's.
    const most = whole ? 2.5 : 1.1;
    const k = Math.max(least, Math.min(most, (width - 2 * PAD) / wide, height / high));
    const half = height / k / 2;
    // Where it does not fit, as much of it as there is room for.
    const [first, last] = [layout.top - PAD + half, layout.bottom + PAD - half];
    const middle = first >= last ? (layout.top + layout.bottom) / 2 : Math.max(first, Math.min(last, y));
    this.to(zoomIdentity.translate(PAD, height / 2 - middle * k).scale(k));
  }

  /** Moves as little as is needed to have this box in sight. */
  reveal(x: number, y: number, boxWidth: number, width: number, height: number): void {
    const { k } = this.now;
    const [sx, sy] = this.now.apply([x, y]);
    const margin = Math.min(60, width / 6, height / 6);
    let dx = 0;
    let dy = 0;
    if (sx < margin) dx = margin - sx;
    else if (sx + boxWidth * k > width - margin) dx = width - margin - boxWidth * k - sx;
    if (sy < margin) dy = margin - sy;
    else if (sy > height - margin) dy = height - margin - sy;
    if (dx || dy) this.to(zoomIdentity.translate(this.now.x + dx, this.now.y + dy).scale(k));
  }

  centre(x: number, y: number, width: number, height: number): void {
    this.moved = true;
    const { k } = this.now;
    this.to(zoomIdentity.translate(width / 2 - x * k, height / 2 - y * k).scale(k));
  }
}
