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

const FONT = '12px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const HALF = 5;
/** From this scale on there are words beside the nodes. */
const ROOMY = 0.55;
/** An answer of at most so many characters stands before the words of its solution. */
const SHORT = 24;
/** The most room for the words of a closed branch. */
const MOST_WORDS = 220;

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
  const roomy = camera.k >= ROOMY;
  const edge = Math.max(layout.end, right) - 12;
  for (const unit of seen) strip(context, scene, unit, layout.boxes.get(unit)!, camera.k, roomy, edge);
  cursor(context, scene, camera.k);
}

function edges(context: CanvasRenderingContext2D, scene: Scene, camera: Camera, top: number, bottom: number): void {
  const { units, layout, colours, best } = scene;
  const { k } = camera;
  context.font = FONT;
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
    path.moveTo(x - (unit.parent.parent && k >= ROOMY ? spare(context, scene, unit.parent) : 0), from.y);
    path.lineTo(x, from.y);
    if (k < 0.25) path.lineTo(to.x, to.y);
    else path.bezierCurveTo(middle, from.y, middle, to.y, to.x, to.y);
  }
  context.lineWidth = 1 / Math.max(k, 0.4);
  context.strokeStyle = colours.rule;
  context.stroke(thin);
  context.lineWidth = 2.5 / Math.min(1, Math.max(k, 0.4));
  context.strokeStyle = colours.best;
  context.stroke(bold);
}

/** The room that the words of a unit that goes on leave free. */
function spare(context: CanvasRenderingContext2D, scene: Scene, unit: Unit): number {
  const room = scene.layout.words - 8;
  const words = room > 0 ? fitted(context, scene.tree.text[last(unit)]!, room) : "";
  return Math.max(0, scene.layout.words - (words ? context.measureText(words).width + 12 : 2));
}

function strip(context: CanvasRenderingContext2D, scene: Scene, unit: Unit, box: Box, k: number, roomy: boolean, edge: number): void {
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
  if (roomy) ending(context, scene, unit, box, edge);
}

const SIGN: Record<string, string> = { answer: "★", complete: "●", cut: "▌", dropped: "✕", left: "○" };

/** What stands right of a unit: how its branch ended or what it hides, and its words. */
function ending(context: CanvasRenderingContext2D, scene: Scene, unit: Unit, box: Box, edge: number): void {
  const { tree, colours, proposed } = scene;
  const place = last(unit);
  let at = box.x + box.width + 6;
  context.font = FONT;
  context.textBaseline = "middle";
  const say = (text: string, shade: string, gap: number) => {
    context.fillStyle = shade;
    context.fillText(text, at, box.y);
    at += context.measureText(text).width + gap;
  };
  if (unit.hidden) {
    const share = unit.spent >= 0.005 ? ` · ${Math.round(100 * unit.spent)} % of the tokens` : "";
    const said = `▸ ${unit.hidden.toLocaleString("en-US")} ${unit.hidden === 1 ? "node" : "nodes"}${share}`;
    const room = (unit.parent ? edge - at : 0) - context.measureText(said).width - 8;
    const words = fitted(context, tree.text[place]!, Math.min(room, MOST_WORDS));
    if (words) say(words, colours.muted, 8);
    say(said, colours.accent, 0);
    return;
  }
  const end = endingOf(tree, place, scene.answer);
  if (!end) {
    if (!unit.parent || scene.layout.words <= 8) return;
    say(fitted(context, tree.text[place]!, scene.layout.words - 8), scene.best.has(place) ? colours.ink : colours.muted, 0);
    return;
  }
  const right = proposed.get(place);
  const shades = { answer: colours.best, complete: colours.muted, cut: colours.finishes.length };
  say(SIGN[end]!, end === "dropped" ? colours.bad : (shades[end as keyof typeof shades] ?? colours.muted), 4);
  if (right != null) say(right ? "✓" : "✗", right ? colours.good : colours.bad, 4);
  if (unit.alike) say(`×${(unit.alike + 1).toLocaleString("en-US")}`, colours.accent, 6);
  if (end !== "answer" && unit.children.length) return;
  const shade = end === "answer" ? colours.ink : colours.muted;
  const answer = tree.answer[place];
  if (answer !== null && answer!.length <= SHORT) {
    context.font = `600 ${FONT}`;
    say(line(answer!, SHORT), colours.ink, 8);
    context.font = FONT;
  }
  say(fitted(context, tree.text[place]!, edge - at), shade, 0);
}

/** The beginning of a text in one line, cut to this width; empty where there is no room for a word. */
function fitted(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (room < 24) return "";
  let words = line(text, Math.ceil(room / 5));
  while (words.length > 1 && context.measureText(words).width > room) words = words.slice(0, -2).trimEnd() + "…";
  return words;
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
