// Text of a trace is shown as it is, but nothing in it may hide what follows or change its direction: characters
// without a shape of their own are shown by name.

const NAMES: Record<number, string> = {
  0x00: "NUL", 0x07: "BEL", 0x08: "BS", 0x09: "TAB", 0x0b: "VT", 0x0c: "FF", 0x0d: "CR", 0x1b: "ESC", 0x7f: "DEL",
  0xad: "SHY", 0x061c: "ALM", 0x180e: "MVS", 0x200b: "ZWSP", 0x200e: "LRM", 0x200f: "RLM", 0x2028: "LSEP", 0x2029: "PSEP",
  0x202a: "LRE", 0x202b: "RLE", 0x202c: "PDF", 0x202d: "LRO", 0x202e: "RLO", 0x2060: "WJ", 0x2066: "LRI", 0x2067: "RLI",
  0x2068: "FSI", 0x2069: "PDI", 0xfeff: "BOM",
};

// Zero-width joiners stay: emoji and several scripts need them, and they cannot reorder anything.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udfff]/g;

/** A control character's short name, or U+XXXX. */
export function nameOf(code: number): string {
  return NAMES[code] ?? "U+" + code.toString(16).toUpperCase().padStart(4, "0");
}

export type Piece = string | { code: number };

/** The text in pieces: plain strings, and hidden characters by their code. A carriage return before a newline is dropped. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(HIDDEN)) {
    const code = match[0].codePointAt(0)!;
    if (match.index > at) found.push(text.slice(at, match.index));
    at = match.index + match[0].length;
    if (code === 0x0d && text[at] === "\n") continue;
    found.push({ code });
  }
  if (at < text.length) found.push(text.slice(at));
  return found;
}

/** One line for a cell: white space folded, hidden characters named, at most `limit` characters. */
export function line(text: string, limit = 300): string {
  const cut = text.length > limit * 4 ? text.slice(0, limit * 4) : text;
  const folded = cut
    .replace(/[ \t\r\n]+/g, " ")
    .replace(HIDDEN, (c) => `‹${nameOf(c.codePointAt(0)!)}›`)
    .trim();
  return folded.length > limit ? folded.slice(0, limit - 1) + "…" : folded;
}
