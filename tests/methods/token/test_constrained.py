"""Grammars: a mask excludes what cannot become the grammar and nothing else, and weights make sampling exact."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import numpy as np
import pytest

from clew.errors import UsageError
from clew.methods.common.particles import EVIDENCE, WEIGHT
from clew.methods.token.constrained import constrained
from clew.models.draw import proposal
from clew.models.toy import Ids, ToyModel
from clew.models.toy.specs import markov
from clew.problem import Status
from clew.sampling import Grammar, Sampling
from clew.search import Search
from clew.testing import check_method
from clew.testing.toys import problem, run

LENGTH = 5
MODEL = markov(vocab="abc", seed=5)
REGEX = "(a|ba)*c?b"


def searching(seed: int, model: ToyModel = MODEL, length: int = LENGTH, temperature: float = 1.0) -> Search:
    given = problem(max_tokens=length)
    return Search(given, {"generate": model}, seed=seed, sampling=Sampling(temperature=temperature))


def conditional() -> tuple[dict[Ids, float], float]:
    kept = {
        ids: p
        for ids, p in MODEL.enumerate(LENGTH).items()
        if ids[-1] == MODEL.end and re.fullmatch(REGEX, MODEL.text(ids))
    }
    total = sum(kept.values())
    return {ids: p / total for ids, p in kept.items()}, total


def posterior(search: Search) -> dict[Ids, float]:
    shares: dict[Ids, float] = defaultdict(float)
    for node in search.tree.nodes:
        if WEIGHT in node.scores:
            shares[tuple(int(t) for part in node.solution_path for t in part.segment.token_ids)] += node.scores[WEIGHT]
    return shares


@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("stretch", [1, 8])
def test_the_weights_are_unbiased(temperature: float, stretch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clew.methods.token.constrained.CHUNK", stretch)
    expected, total = conditional()
    runs = 400
    evidence = np.zeros(runs)
    shares: dict[Ids, np.ndarray] = defaultdict(lambda: np.zeros(runs))

    async def sample() -> None:
        for seed in range(runs):
            search = searching(seed)
            await constrained(search, regex=REGEX, n=3, temperature=temperature)
            evidence[seed] = np.exp(search.root.scores[EVIDENCE])
            for ids, share in posterior(search).items():
                shares[ids][seed] = share * evidence[seed]

    run(sample())
    assert abs(evidence.mean() - total) < 4 * evidence.std() / runs**0.5
    for ids in (i for i, p in expected.items() if p > 0.03):
        assert abs(shares[ids].mean() - expected[ids] * total) < 4.5 * shares[ids].std() / runs**0.5, MODEL.text(ids)
    assert sum(s.sum() for ids, s in shares.items() if ids not in expected) == 0


def test_the_posterior_converges() -> None:
    expected, _ = conditional()

    async def measure(n: int, runs: int) -> float:
        found = []
        for seed in range(runs):
            search = searching(seed)
            await constrained(search, regex=REGEX, n=n)
            shares = posterior(search)
            found.append(0.5 * sum(abs(shares.get(k, 0.0) - expected.get(k, 0.0)) for k in {*shares, *expected}))
        return float(np.mean(found))

    few, some, many = (run(measure(n, runs)) for n, runs in ((8, 20), (64, 8), (512, 2)))
    assert few > 1.5 * some > 2.25 * many


def test_the_enumeration_under_a_grammar_is_the_masked_one() -> None:
    masked = MODEL.enumerate(LENGTH, sampling=Sampling(temperature=1.0, grammar=Grammar("regex", REGEX)))
    assert sum(masked.values()) == pytest.approx(1)
    assert {ids for ids in masked if ids[-1] == MODEL.end} == set(conditional()[0])


def test_every_spelling_is_allowed() -> None:
    model = ToyModel(["a", "b", "ab"], lambda _, __, ___: [1, 1, 1, 1])
    masked = model.enumerate(9, sampling=Sampling(temperature=1.0, grammar=Grammar("regex", "abab")))
    assert {model.text(ids) for ids in masked} == {"abab"}
    assert len(masked) == 4


def test_json_comes_out_whole_and_of_its_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"k": {"type": "integer"}, "s": {"enum": ["x", "y"]}},
        "required": ["k", "s"],
        "additionalProperties": False,
    }
    vocab = ["{", "}", '"', "k", "s", "x", "y", ":", ",", " ", "1", "2", '{"k', '": ']
    model = ToyModel(vocab, lambda _, __, ___: [1.0] * (len(vocab) + 1))
    for seed in range(30):
        answer = run(constrained(searching(seed, model, length=200), json=schema))
        found = json.loads(answer.text)
        assert set(found) == {"k", "s"} and isinstance(found["k"], int) and found["s"] in ("x", "y")


def test_a_context_free_grammar_nests() -> None:
    lark = 'start: "(" start ")" | "x"'
    model = ToyModel(["(", ")", "x"], lambda _, __, ___: [1, 1, 1, 1])
    texts = {run(constrained(searching(seed, model, length=60), lark=lark)).text for seed in range(30)}
    assert len(texts) > 2
    assert all(t.count("(") == t.count(")") and t.strip("()") == "x" for t in texts)


def test_a_solution_goes_on_where_its_grammar_was() -> None:
    async def go() -> str:
        search = searching(0, length=30)
        hint = await search.insert(search.root, "bab")
        sampling = Sampling(temperature=1.0, grammar=Grammar("regex", "(ba)+c"))
        (leaf,) = await search.extend(hint, sampling=sampling)
        with pytest.raises(UsageError, match="begins as the solution"):
            await search.extend(await search.insert(search.root, "cc"), sampling=sampling)
        return leaf.solution

    assert re.fullmatch("(ba)+c", run(go()))


def test_what_cannot_be_finished_in_time_abstains() -> None:
    search = searching(0, length=3)
    answer = run(constrained(search, regex="a{9}", n=2))
    assert answer.value is None and answer.status is Status.ABSTAINED
    assert search.root.scores[EVIDENCE] == -np.inf


def test_a_mask_renormalises_and_nothing_else() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.2]))
    masked = proposal(logits, Sampling(temperature=1.0), allowed=np.array([True, False, True]))
    np.testing.assert_allclose(np.exp(masked), [5 / 7, 0, 2 / 7])


@pytest.mark.parametrize("params", [{}, {"regex": "a", "lark": "start: /a/"}, {"regex": "a("}, {"json": "{"}])
def test_nonsense_is_refused(params: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        run(constrained(searching(0), **params))


def test_a_grammar_is_refused_by_a_model_that_follows_none() -> None:
    model = markov(vocab="ab")
    model.capabilities = model.capabilities - {"grammar"}  # type: ignore[assignment]
    search = searching(0, model)
    with pytest.raises(UsageError, match="follows no grammar"):
        run(search.extend(search.root, sampling=Sampling(grammar=Grammar("regex", "a"))))


def test_conformance() -> None:
    check_method('constrained?regex="[0-9 +*=]+(.|\\n)*"&n=3')


@pytest.mark.parametrize("regex", ["a/b", r"a\/b"])
def test_a_slash_may_be_escaped_or_not(regex: str) -> None:
    model = ToyModel(["a", "b", "/"], lambda *_: [1.0] * 4)
    given = Search(problem(steps=()), {"generate": model}, sampling=Sampling(temperature=1.0))
    assert run(constrained(given, regex=regex, n=2)).value == "a/b"


def test_a_dead_end_is_no_end() -> None:
    """Nothing in the vocabulary leads from `a` to `a c`: there is no solution, and `a` is none."""
    model = ToyModel(["a"], lambda *_: [1.0] * 2)
    given = Search(problem(steps=()), {"generate": model}, sampling=Sampling(temperature=1.0))
    answer = run(constrained(given, regex="a c", n=2))
    assert answer.value is None and answer.status is Status.ABSTAINED
