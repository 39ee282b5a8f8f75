// The one way to data: from the server, or out of the exported file, by the same path.

import type { Failure } from "./types";

export class GetError extends Error {
  constructor(
    message: string,
    readonly cure: string,
  ) {
    super(message);
  }
}

const embedded = document.getElementById("clew-data");

/** Whether this page is an exported file: it has no server to ask. */
export const exported = embedded !== null;

let dictionary: Record<string, string> | null = null;

async function unpacked(path: string): Promise<unknown> {
  dictionary ??= JSON.parse(embedded!.textContent ?? "{}") as Record<string, string>;
  const packed = dictionary[path];
  if (packed === undefined) {
    throw new GetError("This is not in the exported file.", "Export again with this problem, or open the run with clew view.");
  }
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

async function served(path: string): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch("api/" + path);
  } catch {
    throw new GetError("clew view does not answer.", "Start it again in the terminal, then reload this page.");
  }
  const body = (await response.json().catch(() => null)) as Failure | null;
  if (!response.ok || body === null) {
    throw new GetError(body?.error ?? `The server answered ${response.status}.`, body?.cure ?? "Look at the terminal.");
  }
  return body;
}

// Answers never change while a page is open. Only as many are kept as scrolling back and forth needs.
const KEPT = 120;
const kept = new Map<string, Promise<unknown>>();

/** The answer to one path. Raises GetError with a cause and a cure. */
export function get<T>(path: string): Promise<T> {
  let answer = kept.get(path);
  if (answer) {
    kept.delete(path);
  } else {
    answer = exported ? unpacked(path) : served(path);
    answer.catch(() => kept.delete(path));
  }
  kept.set(path, answer);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
  return answer as Promise<T>;
}

/** The exported file, as the server makes it. */
export async function exportFile(problems: string[]): Promise<Blob> {
  const response = await fetch("export", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ problems }),
  });
  if (!response.ok) {
    const body = (await response.json().catch(() => null)) as Failure | null;
    throw new GetError(body?.error ?? `The server answered ${response.status}.`, body?.cure ?? "Look at the terminal.");
  }
  return response.blob();
}
