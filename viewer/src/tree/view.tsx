// The tree of a search: the canvas, its keys, and what a screen reader is told of it.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { colours, useTheme } from "../palette";
import type { SearchData } from "../search/data";
import { FIRST } from "../search/data";
import { plural, short, whole } from "../text/number";
import { line } from "../text/visible";
import { useSize } from "../ui/bits";
import { useKeys } from "../ui/keys";
import { CameraControl } from "./camera";
import type { ColourBy } from "./colour";
import { hit } from "./layout";
import { Legend } from "./legend";
import { Minimap } from "./minimap";
import { paint } from "./paint";
import { choicesOf, colourAtFirst, useDrawn, type Drawn } from "./scene";
import { last } from "./units";
import { walk, type Step } from "./walk";
import { why } from "./why";

interface Props {
  data: SearchData;
  version: number;
  /** The selected node's id; null: none yet. */
  node: number | null;
  pick: (node: number) => void;
  hover: (node: number | null) => void;
  read: () => void;
  active: boolean;
}

// The choice of colour is the reader's, not the search's: it stays when the next search is opened.
let lastColour: ColourBy | null = null;

export function TreeView({ data, version, node, pick, hover, read, active }: Props) {
  const theme = useTheme();
  const { tree } = data;
  const choices = choicesOf(data);
  const [by, setBy] = useState<ColourBy | null>(lastColour);
  const first = useMemo(() => colourAtFirst(data, choices), [data, tree.length]);
  const now = choices.some(([c]) => c === by) ? by! : first;
  const [opened, setOpened] = useState(0);
  const [box, size] = useSize<HTMLDivElement>();
  // How wide the picture is before it is made smaller: the window, unless all is fitted into it.
  const [room, setRoom] = useState(0);
  const fitting = useRef(false);
  useEffect(() => setRoom(size.width), [data, size.width]);
  const drawn = useDrawn(data, `${version}/${opened}`, room || size.width, size.height, now, theme);
  const canvas = useRef<HTMLCanvasElement>(null);
  const camera = useRef<CameraControl | null>(null);
  const [frame, setFrame] = useState(0);
  const [hovered, setHovered] = useState<number | undefined>();
  const [focused, setFocused] = useState(false);
  const selected = tree.place(node) ?? drawn.best.at(-1) ?? 0;
  const { units, layout } = drawn;

  useEffect(() => {
    const control = new CameraControl(canvas.current!, () => setFrame((n) => n + 1));
    camera.current = control;
    return () => control.destroy();
  }, [data]);

  const boxOf = (place: number) => {
    const unit = units.at[place];
    return unit && { unit, box: layout.boxes.get(unit)! };
  };
  const fit = (all: boolean) => {
    if (!size.width) return;
    camera.current?.fit(layout, size.width, size.height, boxOf(selected)?.box.y ?? 0, all);
  };
  const fitAll = () => {
    // What is too high for the window is made small, and so much wider that it still fills it.
    const wanted = size.width / (camera.current?.scaleFor(layout, size.height) ?? 1);
    camera.current!.moved = true;
    if (Math.abs(wanted - room) < 1) return fit(true);
    fitting.current = true;
    setRoom(wanted);
  };
  useEffect(() => {
    if (fitting.current) fit(true);
    else if (!camera.current?.moved) fit(false);
    fitting.current = false;
  }, [layout, size.width, size.height]);
  const reveal = (place: number) => {
    const at = boxOf(place);
    if (!at || !size.width) return;
    const x = at.box.x + at.unit.nodes.indexOf(place) * at.box.cell;
    camera.current?.reveal(x, at.box.y, at.box.cell, size.width, size.height);
  };
  useEffect(() => reveal(selected), [selected, layout, size.width]);

  useEffect(() => {
    const element = canvas.current!;
    const ratio = devicePixelRatio || 1;
    if (element.width !== size.width * ratio) element.width = size.width * ratio;
    if (element.height !== size.height * ratio) element.height = size.height * ratio;
    const task = requestAnimationFrame(() => {
      const c = camera.current!.now;
      const scene = { ...drawn, tree, colours: colours(), best: drawn.bestSet, selected, hovered, focused };
      paint(element.getContext("2d")!, scene, c, size.width, size.height);
    });
    return () => cancelAnimationFrame(task);
  }, [drawn, theme, size.width, size.height, frame, selected, hovered, focused]);

  // A node that is selected from elsewhere (a link, the text) may be hidden: its way is opened.
  useEffect(() => {
    if (!tree.length || units.at[selected]) return;
    for (const place of tree.path(selected).slice(0, -1)) {
      data.choices.set(place, true);
      data.unfolded.add(place);
    }
    setOpened((n) => n + 1);
  }, [selected, units]);

  const toggle = (place: number) => {
    const unit = units.at[place];
    if (!unit || (!unit.forks && !unit.alike)) return;
    if (unit.alike) {
      data.unfolded.add(last(unit.parent!));
    } else {
      const fork = last(unit);
      data.choices.set(fork, !drawn.isOpen(fork));
      data.unfolded.delete(fork);
    }
    camera.current!.moved = true;
    setOpened((n) => n + 1);
  };
  const openAll = (open: boolean) => {
    for (let place = 0; place < tree.length; place++) {
      if (!tree.children[place]!.length) continue;
      data.choices.set(place, open || drawn.bestSet.has(place));
      if (open) data.unfolded.add(place);
    }
    if (!open) data.unfolded.clear();
    camera.current!.moved = false;
    if (!open && !drawn.bestSet.has(selected)) pick(tree.id[drawn.best.at(-1) ?? 0]!);
    setOpened((n) => n + 1);
  };
  const step = (to: Step) => {
    const rows = (place: number) => boxOf(place)?.box.y ?? 0;
    const unit = units.at[selected];
    if (to === "child" && (unit?.hidden || unit?.alike) && last(unit) === selected) return toggle(selected);
    pick(tree.id[walk(tree, units, rows, drawn.best, selected, to)]!);
  };
  const byKey = (to: Step) => () => step(to);
  useKeys(
    {
      ArrowLeft: byKey("parent"), ArrowRight: byKey("child"), ArrowUp: byKey("up"), ArrowDown: byKey("down"),
      Home: byKey("first"), End: byKey("end"), b: byKey("best"), " ": () => toggle(selected), Enter: read,
      e: () => openAll(true), E: () => openAll(false), f: fitAll,
      "+": () => camera.current?.by(1.3), "=": () => camera.current?.by(1.3), "-": () => camera.current?.by(1 / 1.3),
    },
    active && tree.length > 0,
  );

  const under = (event: MouseEvent) => {
    const c = camera.current!.now;
    const at = canvas.current!.getBoundingClientRect();
    return hit(units, layout, c.invertX(event.clientX - at.left), c.invertY(event.clientY - at.top), 4 / c.k);
  };
  const move = (event: MouseEvent) => {
    const place = under(event);
    if (place === hovered) return;
    setHovered(place);
    hover(place === undefined ? null : tree.id[place]!);
  };
  const click = (event: MouseEvent) => {
    box.current?.focus({ preventScroll: true });
    const place = under(event);
    if (place === undefined) return;
    pick(tree.id[place]!);
    // A second press on a fork opens or closes it, and so does the first on one that hides something.
    if (place === selected || units.at[place]?.hidden) toggle(place);
  };

  const c = camera.current?.now;
  const at = boxOf(selected);
  const spot = c && at ? c.apply([at.box.x + at.unit.nodes.indexOf(selected) * at.box.cell, at.box.y]) : ([0, 0] as const);
  const view = c && { x: c.invertX(0), y: c.invertY(0), width: size.width / c.k, height: size.height / c.k };
  const overflows = view && (layout.bottom - layout.top > view.height || layout.right > view.x + view.width || view.x > 10);
  return (
    <div class="tree-view">
      <div class="bar">
        <label hidden={!tree.length}>
          Colour{" "}
          <select value={now} onChange={(event) => setBy((lastColour = event.currentTarget.value as ColourBy))}>
            {choices.map(([value, name]) => <option value={value}>{name}</option>)}
          </select>
        </label>
        {tree.length > 0 && <Legend colouring={drawn.colouring} />}
        <span class="space" />
        <button onClick={() => step("best")} title="Follow the best path, node by node (b)">★ Best</button>
        <button onClick={() => openAll(true)} title="Open all branches (e)">Open</button>
        <button onClick={() => openAll(false)} title="Close all but the best path (E)">Close</button>
        <button onClick={fitAll} title="Fit everything (f)">Fit</button>
      </div>
      <div
        class="tree" ref={box} role="tree" tabIndex={0} aria-label={`Tree of ${plural(data.detail?.nodes ?? 0, "node")}`}
        aria-activedescendant={`node-${data.run}-${data.id}`} aria-busy={data.loading || !size.height}
        data-loaded={tree.length} data-drawn={units.shownNodes} data-node={tree.id[selected]}
        onFocus={() => setFocused(true)} onBlur={() => setFocused(false)}
      >
        <canvas
          ref={canvas} aria-hidden="true" style={{ width: `${size.width}px`, height: `${size.height}px` }}
          onPointerMove={move} onPointerLeave={() => (setHovered(undefined), hover(null))} onClick={click}
          onDblClick={read}
        />
        <Described data={data} drawn={drawn} place={selected} x={spot[0]} y={spot[1]} />
        {overflows && view && (
          <Minimap drawn={drawn} theme={theme} view={view} look={(x, y) => camera.current!.centre(x, y, size.width, size.height)} />
        )}
      </div>
      <Status data={data} drawn={drawn} />
    </div>
  );
}

/** The selected node in words, where it stands on the canvas: for screen readers, magnifiers and tests. */
function Described({ data, drawn, place, x, y }: { data: SearchData; drawn: Drawn; place: number; x: number; y: number }) {
  const { tree } = data;
  const unit = drawn.units.at[place];
  if (!tree.length) return null;
  const parent = tree.parent[place]!;
  const siblings = parent < 0 ? [place] : tree.children[parent]!;
  const open = unit && last(unit) === place && unit.forks ? drawn.isOpen(place) : undefined;
  const scores = [...tree.scores.keys()].flatMap((name) => {
    const value = tree.score(name, place);
    return value === null ? [] : [`${name} ${short(value)}`];
  });
  const said = [
    `node ${tree.id[place]}`, tree.origin[place], tree.roles.size > 1 ? `role ${tree.role[place]}` : "", plural(tree.tokens[place]!, "token"), ...scores,
    drawn.bestSet.has(place) ? "on the best path" : "", tree.label[place]!,
    tree.children[place]!.length ? plural(tree.children[place]!.length, "child", "children") : "",
    unit?.alike ? `stands for ${unit.alike} more that ended alike` : "",
    why(tree, place, drawn.answer), line(tree.text[place]!, 120),
  ];
  return (
    <div
      class="spot" id={`node-${data.run}-${data.id}`} role="treeitem" aria-selected="true" aria-level={tree.depth[place]! + 1}
      aria-posinset={siblings.indexOf(place) + 1} aria-setsize={siblings.length} aria-expanded={open}
      style={{ transform: `translate(${Math.round(x)}px, ${Math.round(y - 6)}px)` }}
    >
      {said.filter(Boolean).join(", ")}
    </div>
  );
}

function Status({ data, drawn }: { data: SearchData; drawn: Drawn }) {
  const { tree, detail } = data;
  const total = detail?.nodes ?? tree.length;
  const hidden = tree.length - drawn.units.shownNodes;
  const closed = drawn.units.all.filter((u) => u.hidden);
  const inClosed = closed.reduce((n, u) => n + u.hidden, 0);
  return (
    <p class="status">
      {/* Only what the reader changes is announced; loading would talk without end. */}
      <span role="status">
        {`${whole(drawn.units.shownNodes)} of ${plural(total, "node")} drawn`}
        {inClosed > 0 && `, ${whole(inClosed)} in ${plural(closed.length, "closed branch", "closed branches")}`}
        {hidden > inClosed && `, ${whole(hidden - inClosed)} like a sibling (×)`}
      </span>
      {data.loading && <span>loading: {whole(tree.length)}</span>}
      {!data.loading && tree.next !== null && (
        <button onClick={() => void data.load(tree.length + FIRST)}>Load {whole(Math.min(FIRST, total - tree.length))} more</button>
      )}
    </p>
  );
}
