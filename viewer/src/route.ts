// What is shown is in the address's hash, so that it can be linked, reloaded and gone back from.

import { useEffect, useState } from "preact/hooks";

export type View = "tree" | "text" | "timeline";
export const VIEWS: View[] = ["tree", "text", "timeline"];

/** One search of one run, "RUN:RESULT" in the address. */
export interface Place {
  run: number;
  result: number;
}

export type Route =
  | { page: "problems"; run: number; problem: number | null }
  | { page: "report"; run: number }
  | { page: "search"; run: number; result: number; view: View; node: number | null }
  | { page: "runs"; run: number; other: number }
  | { page: "split"; left: Place | null; right: Place | null; view: View; run: number };

function whole(text: string | null | undefined): number | null {
  return text != null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function place(text: string | null): Place | null {
  const [run, result] = (text ?? "").split(":").map(whole);
  return run != null && result != null ? { run, result } : null;
}

function view(text: string | null): View {
  return VIEWS.find((v) => v === text) ?? "tree";
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const asked = new URLSearchParams(query);
  const parts = path.split("/");
  if (parts[0] === "split") {
    const left = place(asked.get("a"));
    return { page: "split", left, right: place(asked.get("b")), view: view(asked.get("view")), run: left?.run ?? 0 };
  }
  const run = parts[0] === "r" ? (whole(parts[1]) ?? 0) : 0;
  if (parts[2] === "report") return { page: "report", run };
  if (parts[2] === "against") return { page: "runs", run, other: whole(parts[3]) ?? 0 };
  const result = parts[2] === "results" ? whole(parts[3]) : null;
  if (result !== null) return { page: "search", run, result, view: view(asked.get("view")), node: whole(asked.get("node")) };
  return { page: "problems", run, problem: whole(asked.get("problem")) };
}

export function format(route: Route): string {
  switch (route.page) {
    case "problems":
      return `#/r/${route.run}` + (route.problem === null ? "" : `?problem=${route.problem}`);
    case "runs":
      return `#/r/${route.run}/against/${route.other}`;
    case "report":
      return `#/r/${route.run}/report`;
    case "search": {
      const node = route.node === null ? "" : `&node=${route.node}`;
      return `#/r/${route.run}/results/${route.result}?view=${route.view}${node}`;
    }
    case "split": {
      const sides = [["a", route.left] as const, ["b", route.right] as const];
      const places = sides.filter(([, p]) => p).map(([key, p]) => `${key}=${p!.run}:${p!.result}`);
      return `#/split?${[...places, `view=${route.view}`].join("&")}`;
    }
  }
}

/** The browser reports a new address with a delay, in which a key may be pressed; so the page is told at once. */
function told(): void {
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function go(route: Route): void {
  const url = format(route);
  if (url === location.hash) return;
  location.hash = url;
  told();
}

/** Changes the address without a new step in the browser's history: for a selection that moves with every key. */
export function replace(route: Route): void {
  const url = format(route);
  if (url === location.hash) return;
  history.replaceState(null, "", url);
  told();
}

export function useRoute(): Route {
  const [route, set] = useState(() => parse(location.hash));
  useEffect(() => {
    const changed = () => set((now) => (format(now) === location.hash ? now : parse(location.hash)));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}
