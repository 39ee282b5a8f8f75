// One search: its numbers, its tree, text or timeline, and the selected node. Two of them stand side by side in a split.

import { useState } from "preact/hooks";
import type { Tables } from "../api/tables";
import { Details } from "../node/details";
import { Reader } from "../reader/view";
import type { View } from "../route";
import { duration, plural, short, whole } from "../text/number";
import { TimelineView } from "../timeline/view";
import { TreeView } from "../tree/view";
import { Empty, Line, MarkOf, Trouble } from "../ui/bits";
import { useKeys } from "../ui/keys";
import { walkBest } from "./best";
import { useSearch } from "./data";

interface Props {
  tables: Tables;
  id: number;
  view: View;
  node: number | null;
  pick: (node: number) => void;
  show: (view: View, node?: number) => void;
  active: boolean;
  /** Without the column of details: there is no room for it in a split. */
  narrow?: boolean;
}

export function Pane({ tables, id, view, node, pick, show, active, narrow = false }: Props) {
  const [data, version] = useSearch(tables.run.index, id);
  const [hovered, setHovered] = useState<number | null>(null);
  const search = tables.searches.get(id);
  const read = () => show("text");
  useKeys({ b: () => pick(walkBest(data, node)) }, active && view !== "tree");
  if (!search) return <Trouble error="There is no such search in this run." />;
  if (data.error && !data.tree.length) return <Trouble error={data.error} />;
  const empty = !data.loading && data.detail && data.tree.length === 0 && data.tree.next === null;
  return (
    <div class={`pane ${narrow ? "narrow" : ""}`}>
      {data.error !== null && <Trouble error={data.error} />}
      {search.error && <div class="trouble" role="alert"><b>The search failed.</b><p><Line text={search.error} limit={400} /></p></div>}
      <div class="pane-body">
        <div class="pane-main" role="tabpanel" aria-label={view}>
          {empty ? <Empty>This search has no nodes.</Empty>
            : view === "tree" ? <TreeView data={data} version={version} node={node} pick={pick} hover={setHovered} read={read} active={active} />
            : view === "text" ? <Reader key={id} data={data} node={node} pick={pick} active={active} />
            : <TimelineView data={data} pick={(n) => show("tree", n)} />}
        </div>
        {view !== "timeline" && !empty && (
          <aside class="details" aria-label="Node">
            <Details data={data} node={(view === "tree" ? hovered : null) ?? node} pick={pick} read={read} />
          </aside>
        )}
      </div>
    </div>
  );
}

/** The numbers of a search in one line. */
export function Numbers({ tables, id }: { tables: Tables; id: number }) {
  const search = tables.searches.get(id);
  const [data] = useSearch(tables.run.index, id);
  if (!search) return null;
  const problem = tables.byNumber.get(search.problem);
  return (
    <p class="numbers">
      <MarkOf search={search} /> <b><Line text={search.value} limit={60} /></b>
      {problem?.reference != null && <span class="quiet">reference <Line text={problem.reference} limit={40} /></span>}
      <span>{plural(search.tokens, "token")}</span>
      <span>{duration(search.seconds)}</span>
      <span>{plural(search.nodes, "node")}</span>
      {data.detail && data.detail.distinct_tokens > 0 && data.detail.distinct_tokens !== search.tokens && <span>{whole(data.detail.distinct_tokens)} distinct tokens</span>}
      {search.confidence !== null && <span>confidence {short(search.confidence)}</span>}
      {search.status !== "answered" && <span class="chip">{search.status}</span>}
    </p>
  );
}
