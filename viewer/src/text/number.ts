// Numbers for people. A missing one is a dash, never zero.

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export type Maybe = number | null | undefined;

export function whole(value: Maybe): string {
  return value == null || !Number.isFinite(value) ? "–" : WHOLE.format(value).replace("-", "−");
}

/** Three significant digits. */
export function short(value: Maybe): string {
  if (value == null || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e6) {
    const power = Math.min(Math.floor(Math.log10(size) / 3), 6);
    return `${(value / 1000 ** power).toPrecision(3)} ${"kMGTPE"[power - 1]}`.replace("-", "−");
  }
  if (size >= 1000) return whole(value);
  if (size !== 0 && size < 0.001) return value.toExponential(1).replace("-", "−");
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

/** A share as percent; of probabilities, more digits where they are small. */
export function percent(value: Maybe, sign = false): string {
  if (value == null || !Number.isFinite(value)) return "–";
  const text = Math.abs(Math.round(100 * value)).toString();
  return (value < 0 && text !== "0" ? "−" : sign && value > 0 && text !== "0" ? "+" : "") + text;
}

export function probability(logprob: Maybe): string {
  if (logprob == null || !Number.isFinite(logprob)) return "–";
  const p = 100 * Math.exp(logprob);
  return p >= 99.95 ? "100 %" : p >= 10 ? `${p.toFixed(1)} %` : p >= 0.1 ? `${p.toFixed(2)} %` : `${p.toExponential(1)} %`;
}

export function duration(seconds: Maybe): string {
  if (seconds == null) return "–";
  if (seconds >= 90) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${short(seconds)} s`;
}

export function bytes(value: Maybe): string {
  if (value == null) return "–";
  if (value < 1e6) return `${Math.max(1, Math.round(value / 1e3))} kB`;
  return value < 1e9 ? `${(value / 1e6).toPrecision(3)} MB` : `${(value / 1e9).toPrecision(3)} GB`;
}

export function plural(count: number, one: string, many = one + "s"): string {
  return `${whole(count)} ${count === 1 ? one : many}`;
}
