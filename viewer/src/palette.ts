// The colours of both themes come from the file that the terminal reads too.

import { useEffect, useState } from "preact/hooks";
import palette from "../../src/clew/lab/palette.json";

export type Theme = "light" | "dark";
export type Colours = (typeof palette)["light"];

const KEY = "clew-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const changed = new EventTarget();

function chosen(): Theme | null {
  // Storage may be forbidden, for one in a file opened from disk: then the choice lasts as long as the page.
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : null;
  } catch {
    return null;
  }
}

let forced = chosen();

export function theme(): Theme {
  return forced ?? (system.matches ? "dark" : "light");
}

export function colours(): Colours {
  return palette[theme()] as Colours;
}

export function apply(): void {
  const root = document.documentElement;
  const c = colours();
  root.dataset.theme = theme();
  root.style.colorScheme = theme();
  for (const [name, value] of Object.entries(c)) {
    if (typeof value === "string") root.style.setProperty(`--${name}`, value);
    else if (Array.isArray(value)) value.forEach((v, i) => root.style.setProperty(`--${name}-${i}`, v));
    else for (const [key, v] of Object.entries(value)) root.style.setProperty(`--${name}-${key}`, v);
  }
  changed.dispatchEvent(new Event("theme"));
}

export function switchTheme(): void {
  forced = theme() === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEY, forced);
  } catch {
    // Kept in `forced` only.
  }
  apply();
}

system.addEventListener("change", apply);

/** The theme; the component is drawn again when it changes. */
export function useTheme(): Theme {
  const [now, set] = useState(theme());
  useEffect(() => {
    const on = () => set(theme());
    changed.addEventListener("theme", on);
    return () => changed.removeEventListener("theme", on);
  }, []);
  return now;
}
