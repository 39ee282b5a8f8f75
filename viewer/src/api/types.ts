// What the server answers (src/clew/viewer/pages.py). Tables come as columns of equal length; null where missing.

export interface Run {
  index: number;
  name: string;
  title: string;
  created: number | null;
  task: string;
  models: Record<string, string>;
  methods: string[];
  seeds: number[];
  budget: Record<string, number | null> | null;
  axis: string;
  budgets: number[];
  problems: number;
  results: number;
  nodes: number;
  bytes: number;
  chunk: number;
  sampling: Record<string, unknown> | null;
}

export interface ProblemColumns {
  number: number[];
  id: string[];
  family: string[];
  difficulty: (number | null)[];
  question: string[];
  reference: (string | null)[];
  next: number | null;
}

export type Status = "answered" | "abstained" | "exhausted";

export interface ResultColumns {
  id: number[];
  problem: number[];
  method: number[];
  seed: number[];
  status: Status[];
  value: (string | null)[];
  grade: (number | null)[];
  confidence: (number | null)[];
  tokens: number[];
  generated: number[];
  seconds: number[];
  nodes: number[];
  error: string[];
  next: number | null;
}

export interface ResultDetail {
  id: number;
  problem: {
    id: string;
    family: string;
    difficulty: number | null;
    question: string;
    messages: { role: string; content: unknown }[];
    reference: string | null;
    meta: unknown;
  };
  method: string;
  seed: number;
  status: Status;
  value: string | null;
  text: string;
  confidence: number | null;
  votes: Record<string, number>;
  node: number | null;
  grade: number | null;
  usage: unknown;
  error: string;
  nodes: number;
  distinct_tokens: number;
  score_names: string[];
  best_path: number[];
  has: { entropy: boolean; importance: boolean };
  max: { depth: number; tokens: number; born: number };
}

export type Origin = "prompt" | "sampled" | "inserted";
export type Finish = "step" | "end" | "length" | "stop" | "cancelled";

export interface NodeColumns {
  id: number[];
  parent: (number | null)[];
  beginning_of: (number | null)[];
  origin: Origin[];
  /** Which model of the search wrote it: `generate`, `draft`, `judge`, … */
  role: string[];
  finish: Finish[];
  label: string[];
  /** Why nobody went on from it; '' where there is nothing to say. */
  fate: string[];
  born: number[];
  /** The answer that the solution which ends here states; null for one that goes on or states none. */
  answer: (string | null)[];
  tokens: number[];
  entropy: (number | null)[];
  logprob: (number | null)[];
  scores: Record<string, (number | null)[]>;
  behaviours: string[][];
  text: string[];
  chars: number[];
  cut: number[];
  next: number | null;
}

export interface TokenColumns {
  offset: number[];
  id: number[];
  logprob: (number | null)[] | null;
  entropy: (number | null)[] | null;
  certainty: (number | null)[] | null;
  proposal_logprob: (number | null)[] | null;
  importance: (number | null)[] | null;
  top: [number, number][][] | null;
}

export interface NodePage {
  id: number;
  from: number;
  text: string;
  next: number | null;
  chars: number;
  tokens: TokenColumns;
  scores: Record<string, number>;
  label: string;
  fate: string;
  finish: Finish;
  origin: Origin;
  exact: boolean;
  behaviours: string[];
}

export interface Proposal {
  number: number;
  value: string | null;
  confidence: number | null;
  node: number | null;
  tokens: number;
  generated: number;
  seconds: number;
  right: boolean | null;
}

export interface Spend {
  generated: number;
  prefilled: number;
  reused: number;
  computed: number;
  calls: number;
  flops: number;
  seconds: number;
  usd: number | null;
}

export interface Timeline {
  proposals: Proposal[];
  spend: Record<string, Spend>;
}

export type Interval = [number, number];

export interface ReportRow {
  method: string;
  budget: number;
  accuracy: number | null;
  interval: Interval | null;
  difference: number | null;
  difference_interval: Interval | null;
  used: Record<string, number>;
  pareto: boolean;
}

export interface Estimate {
  value: number;
  interval: Interval;
}

export interface ReportMethod {
  method: string;
  resampled: boolean;
  samples: number;
  prefill_ratio: number | null;
  used: Record<string, number>;
  pass_at: Record<string, Estimate>;
  maj_at: Record<string, Estimate>;
}

export interface Notes {
  title: string;
  subtitle: string;
  finding: string;
  figure: string;
  accuracy: string;
  difference: string;
  spent: string;
  samples: string;
  searches: string;
  reading: string[];
}

export interface Report {
  axis: string;
  budgets: number[];
  baseline: string;
  rows: ReportRow[];
  methods: ReportMethod[];
  problems: number;
  seeds: number;
  searches: number;
  left_out: number;
  models: string[];
  families: string[];
  held_equal: string[];
  level: number;
  /** What it says in words, as the written report does. */
  notes: Notes;
  /** How far the scale of differences goes to both sides of zero. */
  reach: number;
  /** Axis → the unit of its amounts. */
  units: Record<string, string>;
}

/** One method in two runs; the `difference` of a row of `after` is to the same row of `before`. */
export interface Change {
  method: string;
  before: ReportRow[];
  after: ReportRow[];
  searches: number;
}

/** What each method gained or lost from one run to another. */
export interface Across {
  axis: string;
  budgets: number[];
  changes: Change[];
  notes: { finding: string; table: string; left_out: string };
  reach: number;
  units: Record<string, string>;
}

export interface Failure {
  error: string;
  cure?: string;
}
