// What is known of the selected (or pointed at) node.

import type { Proposal } from "../api/types";
import type { SearchData } from "../search/data";
import { probability, short, whole } from "../text/number";
import { line } from "../text/visible";
import { Line, Shown } from "../ui/bits";
import { Behaviour } from "../reader/block";
import { FINISHES, why } from "../tree/why";

interface Props {
  data: SearchData;
  node: number | null;
  pick: (node: number) => void;
  read: () => void;
}

export function Details({ data, node, pick, read }: Props) {
  const { tree, detail } = data;
  const place = tree.place(node) ?? data.best().at(-1) ?? 0;
  if (!tree.length || !detail) return <p class="quiet">Loading…</p>;
  const answer = tree.place(detail.node);
  const said = why(tree, place, answer);
  const parent = tree.parent[place]!;
  const proposals = (data.timeline?.proposals ?? []).filter((p) => p.node === tree.id[place]);
  const facts: [string, string][] = [
    ["tokens", whole(tree.tokens[place])],
    ["born after", `${whole(tree.born[place])} tokens`],
    ["depth", whole(tree.depth[place])],
    ["children", whole(tree.children[place]!.length)],
  ];
  if (tree.roles.size > 1) facts.push(["role", tree.role[place]!]);
  if (tree.entropy[place] !== null) facts.push(["entropy", `${short(tree.entropy[place])} nats`]);
  if (tree.logprob[place] !== null) facts.push(["mean token", probability(tree.logprob[place])]);
  if (tree.answer[place] !== null) facts.push(["answer", line(tree.answer[place]!, 60)]);
  if (!tree.children[place]!.length) facts.push(["ended", FINISHES[tree.finish[place]!] ?? tree.finish[place]!]);
  return (
    <>
      <h3>
        Node {tree.id[place]} <b class={`origin ${tree.origin[place]}`}>{tree.origin[place]}</b>
        {data.best().includes(place) && <small>{place === answer ? "★ the answer" : "on the best path"}</small>}
      </h3>
      {tree.label[place] && <p class="quiet">{line(tree.label[place]!, 120)}</p>}
      {said && <p class="why">{said}</p>}
      {proposals.length > 0 && <Proposed proposals={proposals} />}
      <dl class="facts">{facts.map(([name, value]) => <><dt>{name}</dt><dd>{value}</dd></>)}</dl>
      <Scores data={data} place={place} />
      {tree.behaviours[place]!.length > 0 && <p class="chips">{tree.behaviours[place]!.map((name) => <Behaviour name={name} />)}</p>}
      <div class="snippet">
        {tree.text[place] ? <Shown text={tree.text[place]!} /> : <span class="quiet">No text: only the token that ends it.</span>}
        {tree.chars[place]! > tree.text[place]!.length && <span class="quiet"> … {whole(tree.chars[place])} characters</span>}
      </div>
      <p class="buttons">
        <button onClick={read} title="Enter">Read up to here</button>
        {answer !== undefined && answer !== place && tree.answer[place] !== null && tree.answer[place] === tree.answer[answer] && (
          <button onClick={() => pick(tree.id[answer]!)} title="Where the search first held this answer">★ First</button>
        )}
        {parent >= 0 && <button onClick={() => pick(tree.id[parent]!)} title="Arrow left">Parent</button>}
        {tree.beginningOf[place] !== null && (
          <button onClick={() => pick(tree.beginningOf[place]!)} title="This node repeats the first tokens of another">
            Begins like {tree.beginningOf[place]}
          </button>
        )}
      </p>
    </>
  );
}

/** One sentence for all proposals of one node: they say the same. */
function Proposed({ proposals }: { proposals: Proposal[] }) {
  const [first, last] = [proposals[0]!, proposals.at(-1)!];
  return (
    <p class="why">
      Proposed {first.value === null ? "no answer" : <b><Line text={first.value} limit={80} /></b>} after {whole(first.tokens)} tokens
      {proposals.length > 1 && `, ${proposals.length} times, last after ${whole(last.tokens)}`}
      {first.right === null ? "" : first.right ? ": right" : ": wrong"}.
    </p>
  );
}

/** Each score, where it lies between the least and the greatest of this tree. */
function Scores({ data, place }: { data: SearchData; place: number }) {
  const rows = [...data.tree.scores].flatMap(([name, values]) => {
    const value = values[place];
    if (value == null) return [];
    let [low, high] = [Infinity, -Infinity];
    for (const v of values) if (v !== null) [low, high] = [Math.min(low, v), Math.max(high, v)];
    return [{ name, value, share: high > low ? (value - low) / (high - low) : 1 }];
  });
  if (!rows.length) return null;
  return (
    <dl class="scores">
      {rows.map(({ name, value, share }) => (
        <>
          <dt>{name}</dt>
          <dd><i style={{ width: `${Math.round(100 * share)}%` }} /><span>{short(value)}</span></dd>
        </>
      ))}
    </dl>
  );
}
