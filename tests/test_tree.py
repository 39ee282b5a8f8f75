"""The tree and its segments."""

from __future__ import annotations

import numpy as np
import pytest

from clew.sampling import Stream
from clew.tree import Finish, Origin, Segment, Tree


def segment(*words: str, finish: Finish = Finish.STEP) -> Segment:
    offsets = np.cumsum([0, *(len(w) for w in words)])[:-1].astype(np.int32)
    size = len(words)
    return Segment(
        token_ids=np.arange(size, dtype=np.int32),
        text="".join(words),
        offsets=offsets,
        finish=finish,
        logprob=-np.arange(1, size + 1, dtype=np.float32),
    )


@pytest.fixture
def tree() -> Tree:
    tree = Tree()
    root = tree.add(None, segment("Q", ":"), Origin.PROMPT, Stream("root"))
    first = tree.add(root, segment("a", "b"), Origin.SAMPLED, Stream("first"))
    hint = tree.add(first, segment("wait"), Origin.INSERTED, Stream("hint"))
    tree.add(hint, segment("c", finish=Finish.END), Origin.SAMPLED, Stream("leaf"))
    return tree


def test_a_path_reads_from_the_root_and_the_solution_starts_after_the_prompt(tree: Tree) -> None:
    leaf = tree[3]
    assert leaf.text == "Q:abwaitc"
    assert leaf.solution == "abwaitc"
    assert [n.id for n in leaf.path()] == [0, 1, 2, 3]
    assert (leaf.depth, leaf.tokens, leaf.finished, leaf.complete) == (3, 4, True, True)


def test_statistics_cover_what_the_model_chose(tree: Tree) -> None:
    assert tree[3].stat("logprob").tolist() == [-1, -2, -1]
    assert len(tree[3].stat("logprob", sampled_only=False)) == 4


def test_a_missing_statistic_is_nan_not_zero(tree: Tree) -> None:
    assert np.isnan(tree[3].stat("entropy")).all()


def test_a_head_keeps_tokens_text_and_statistics_together() -> None:
    head = segment("ab", "c", "def").head(2)
    assert (head.text, len(head), head.finish) == ("abc", 2, Finish.STEP)
    assert head.logprob is not None and head.logprob.tolist() == [-1, -2]
    with pytest.raises(ValueError, match="has no first 4"):
        segment("ab", "c", "def").head(4)


def test_distinct_tokens_count_a_rewind_once(tree: Tree) -> None:
    before = tree.distinct_tokens
    tree.add(tree[0], tree[1].segment.head(1), Origin.SAMPLED, Stream("r"), beginning_of=tree[1])
    assert tree.distinct_tokens == before == 6
