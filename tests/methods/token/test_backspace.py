"""Backspace: what the model deletes is gone, and it goes on as if it had never been written."""

from __future__ import annotations

from collections import Counter

import pytest

from clew.methods.token.backspace import DELETIONS, backspace
from clew.models.toy import Ids, ToyModel
from clew.problem import Answer
from clew.sampling import Sampling
from clew.search import Search
from clew.testing import check_method
from clew.testing.toys import problem, run


def correcting(error: float = 0.5, notices: float = 0.8) -> ToyModel:
    """Writes three a's, slips to b with probability `error`, and deletes a slip with probability `notices`."""

    def source(_: object, ids: Ids, text: str) -> list[float]:
        if text.endswith("b"):
            on = [0.0, 0.0, 0.0, 1.0] if len(text) == 3 else [1.0 - error, error, 0.0, 0.0]
            return [w * (1 - notices) for w in on[:2]] + [notices, on[3] * (1 - notices)]
        return [0.0, 0.0, 0.0, 1.0] if len(text) == 3 else [1.0 - error, error, 0.0, 0.0]

    return ToyModel(["a", "b", "<"], source)


def wrote(seed: int, model: ToyModel, **params: int) -> tuple[Answer, Search]:
    search = Search(problem(), {"generate": model}, seed=seed, sampling=Sampling(temperature=1.0))
    return run(backspace(search, marker="<", **params)), search


def test_deletions_are_carried_out_and_change_the_distribution_as_they_should() -> None:
    model, runs = correcting(), 1500
    texts = Counter(wrote(seed, model)[0].text for seed in range(runs))
    # The chain over texts in which < takes a letter away, followed until all mass has ended.
    going, ended = {"": 1.0}, Counter[str]()
    for _ in range(200):
        following: Counter[str] = Counter()
        for text, p in going.items():
            a, b, delete, end = model._source((), (), text)  # type: ignore[misc]
            for after, weight in ((text + "a", a), (text + "b", b), (text[:-1], delete)):
                following[after] += p * weight
            ended[text] += p * end
        going = {text: p for text, p in following.items() if p > 0}
    assert sum(ended.values()) == pytest.approx(1)
    assert set(texts) <= {text for text, p in ended.items() if p > 0}
    distance = 0.5 * sum(abs(texts[t] / runs - p) for t, p in ended.items())
    assert distance < 2 * sum((p * (1 - p)) ** 0.5 for p in ended.values()) / (2 * 3.1416 * runs) ** 0.5


def test_a_model_that_deletes_makes_fewer_errors_than_one_that_does_not() -> None:
    """The claim of the paper: with a backspace, errors need not stay."""

    def errors(notices: float) -> int:
        return sum(wrote(seed, correcting(notices=notices))[0].text.count("b") for seed in range(200))

    assert errors(0.8) < 0.5 * errors(0.0)


def test_several_deletions_in_a_row_and_deletions_of_nothing() -> None:
    states = {"": ["<", "a"], "a": ["b", "c"], "ab": ["b", "<"], "abb": ["<"], "ac": []}
    asked: Counter[str] = Counter()
    vocab = ["a", "b", "c", "<"]

    def source(_: object, ids: Ids, text: str) -> list[float]:
        options = states[text]
        return [float(v in options) for v in vocab] + [float(not options)]

    model = ToyModel(vocab, source)
    for seed in range(20):
        answer, search = wrote(seed, model)
        assert answer.text == "ac" and answer.node is not None
        asked[f"{int(answer.node.scores[DELETIONS])}"] += 1
        undone = [n for n in search.tree.nodes if n.segment.text.endswith("<")]
        assert len(undone) >= answer.node.scores[DELETIONS]
    assert len(asked) > 1


def test_a_text_without_deletions_is_one_sample() -> None:
    answer, search = wrote(0, correcting(error=0.0))
    assert answer.text == "aaa" and len(search.tree.nodes) == 2


def test_a_model_that_deletes_for_ever_is_stopped() -> None:
    model = ToyModel(["a", "<"], lambda _, ids, text: [0, 1, 0] if text.endswith("a") else [1, 0, 0])
    answer, search = wrote(0, model, limit=5)
    assert answer.text == "a" and search.ledger.usage.total.generated == 12


def test_conformance() -> None:
    check_method("backspace?marker=~")
