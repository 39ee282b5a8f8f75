// Draws the visible part of the tree on a canvas. Nothing here keeps state.

import type { Colours } from "../palette";
import { line } from "../text/visible";
import type { Colouring } from "./colour";
import { ROW, type Box, type Layout } from "./layout";
import type { Skeleton } from "./skeleton";
import { last, type Unit, type Units } from "./units";
import { ending as endingOf } from "./why";

export interface Scene {
  tree: Skeleton;
  units: Units;
  layout: Layout;
  colouring: Colouring;
  colours: Colours;
  best: ReadonlySet<number>;
  answer: number | undefined;
  /** Place → whether the answer proposed there is right. */
  proposed: ReadonlyMap<number, boolean | null>;
  selected: number;
  hovered: number | undefined;
  focused: boolean;
}

export interface Camera {
  x: number;
  y: number;
  k: number;
}

const FONT = '11px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const HALF = 5;

export function paint(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, width: number, height: number): void {
  const { units, layout, colours } = scene;
  const ratio = devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = colours.page;
  context.fillRect(0, 0, width, height);
  context.translate(camera.x, camera.y);
  context.scale(camera.k, camera.k);
  const top = -camera.y / camera.k - ROW;
  const bottom = (height - camera.y) / camera.k + ROW;
  const right = (width - camera.x) / camera.k;
  const seen = units.all.filter((unit) => {
    const box = layout.boxes.get(unit)!;
    return box.y >= top && box.y <= bottom && box.x <= right;
  });
  edges(context, scene, camera, top, bottom);
  const roomy = camera.k >= 0.55;
  for (const unit of seen) strip(context, scene, unit, layout.boxes.get(unit)!, camera.k, roomy);
  cursor(context, scene, camera.k);
}

function edges(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, top: number, bottom: number): void {
  const { units, layout, colours, best } = scene;
  const bold = new Path2D();
  const thin = new Path2D();
  for (const unit of units.all) {
    if (!unit.parent) continue;
    const from = layout.boxes.get(unit.parent)!;
    const to = layout.boxes.get(unit)!;
    if (Math.max(from.y, to.y) < top || Math.min(from.y, to.y) > bottom) continue;
    const path = best.has(unit.nodes[0]!) ? bold : thin;
    const x = from.x + from.width + (unit.parent.parent ? layout.words : 0);
    const middle = x + (to.x - x) / 2;
    path.moveTo(x, from.y);
    if (camera.k < 0.25) path.lineTo(to.x, to.y);
    else path.bezierCurveTo(middle, from.y, middle, to.y, to.x, to.y);
  }
  context.lineWidth = 1 / Math.max(camera.k, 0.4);
  context.strokeStyle = colours.rule;
  context.stroke(thin);
  context.lineWidth = 2.5 / Math.min(1, Math.max(camera.k, 0.4));
  context.strokeStyle = colours.best;
  context.stroke(bold);
}

function strip(context: CanvasRenderingContext2D, scene: Scene, unit: Unit, box: Box, k: number, roomy: boolean): void {
  const { colouring, colours, best, tree } = scene;
  const y = box.y - HALF;
  const gap = roomy && box.cell >= 4 ? 1 : 0;
  unit.nodes.forEach((place, i) => {
    context.fillStyle = colouring.of(place);
    context.fillRect(box.x + i * box.cell, y, Math.max(box.cell - gap, 0.5), 2 * HALF);
    if (roomy && tree.origin[place] === "inserted") {
      context.fillStyle = colours.origins.inserted;
      context.fillRect(box.x + i * box.cell, y + 2 * HALF, box.cell - gap, 2);
    }
  });
  if (roomy || best.has(last(unit))) {
    context.lineWidth = (best.has(last(unit)) ? 1.8 : 0.7) / Math.min(1, k);
    context.strokeStyle = best.has(last(unit)) ? colours.best : colours.muted;
    context.strokeRect(box.x - 0.5, y - 0.5, box.width - gap + 1, 2 * HALF + 1);
  }
  if (roomy) ending(context, scene, unit, box);
}

const SIGN: Record<string, string> = { answer: "★", complete: "●", cut: "▌", dropped: "✕", left: "○" };

/** What stands right of a unit: how many nodes it hides, or how the branch ended and its last words. */
function ending(context: CanvasRenderingContext2D, scene: Scene, unit: Unit, box: Box): void {
  const { tree, colours, proposed } = scene;
  const x = box.x + box.width + 6;
  context.font = FONT;
  context.textBaseline = "middle";
  const place = last(unit);
  if (unit.hidden) {
    context.fillStyle = colours.accent;
    context.fillText(`▸ ${unit.hidden.toLocaleString("en-US")}`, x, box.y);
    return;
  }
  const end = endingOf(tree, place, scene.answer);
  if (!end) {
    if (unit.parent) inner(context, scene, place, x, box.y);
    return;
  }
  const right = proposed.get(place);
  const shades = { answer: colours.best, complete: colours.muted, cut: colours.finishes.length };
  context.fillStyle = end === "dropped" ? colours.bad : (shades[end as keyof typeof shades] ?? colours.muted);
  context.fillText(SIGN[end]!, x, box.y);
  let at = x + 14;
  if (right != null) {
    context.fillStyle = right ? colours.good : colours.bad;
    context.fillText(right ? "✓" : "✗", at, box.y);
    at += 13;
  }
  if (unit.alike) {
    const count = `×${(unit.alike + 1).toLocaleString("en-US")}`;
    context.fillStyle = colours.accent;
    context.fillText(count, at, box.y);
    at += context.measureText(count).width + 6;
  }
  if (end === "answer" || unit.children.length === 0) {
    context.fillStyle = end === "answer" ? colours.ink : colours.muted;
    context.fillText(line(tree.text[place]!, 44), at, box.y);
  }
}

/** The words of a unit that goes on, cut to the room before the next column. */
function inner(context: CanvasRenderingContext2D, scene: Scene, place: number, x: number, y: number): void {
  const room = scene.layout.words - 8;
  if (room <= 0) return;
  let words = line(scene.tree.text[place]!, Math.ceil(room / 5));
  while (words.length > 1 && context.measureText(words).width > room) words = words.slice(0, -2).trimEnd() + "…";
  context.fillStyle = scene.best.has(place) ? scene.colours.ink : scene.colours.muted;
  context.fillText(words, x, y);
}

function cursor(context: CanvasRenderingContext2D, scene: Scene, k: number): void {
  for (const [place, shade] of [[scene.hovered, scene.colours.muted], [scene.selected, scene.colours.accent]] as const) {
    const unit = place === undefined ? undefined : scene.units.at[place];
    if (!unit) continue;
    const box = scene.layout.boxes.get(unit)!;
    const x = box.x + unit.nodes.indexOf(place!) * box.cell;
    const pad = 3.5 / Math.min(1, k);
    context.lineWidth = (place === scene.selected && scene.focused ? 3 : 2) / Math.min(1, k);
    context.strokeStyle = shade;
    context.beginPath();
    context.roundRect(x - pad, box.y - HALF - pad, box.cell + 2 * pad - 1, 2 * HALF + 2 * pad, 4);
    context.stroke();
  }
}
