export const UNITS: Record<string, string> = {
  generated: "generated tokens", tokens: "tokens", calls: "calls", seconds: "seconds", flops: "FLOPs", usd: "US dollars",
};
