"""Guards: what they refuse never stays, and the exact variant samples the true conditional."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from clew.methods.common.particles import EVIDENCE, WEIGHT
from clew.methods.token.guarded import Guard, guarded, guarded_exact, json_guard
from clew.models.toy import Ids, ToyModel
from clew.models.toy.specs import markov
from clew.problem import Answer, Status
from clew.sampling import Sampling
from clew.search import Search
from clew.tasks import load_problems
from clew.testing import check_method
from clew.testing.toys import letters, problem, run
from clew.tree import Node

LENGTH = 4


def strict(text: str, whole: bool) -> bool:
    """No bb, no c after a, and no end after b. Every beginning that it accepts can be completed."""
    return "bb" not in text and "ac" not in text and not (whole and text.endswith("b"))


MODEL = markov(vocab="abc", seed=5)


def accepted(model: ToyModel, ids: Ids) -> bool:
    ended = ids[-1:] == (model.end,)
    return all(strict(model.text(ids[:i]), False) for i in range(len(ids) + 1)) and strict(model.text(ids), ended)


def conditional() -> tuple[dict[Ids, float], float]:
    """The model's own distribution given that the guard accepts, and the probability that it does."""
    kept = {ids: p for ids, p in MODEL.enumerate(LENGTH).items() if accepted(MODEL, ids)}
    total = sum(kept.values())
    return {ids: p / total for ids, p in kept.items()}, total


def renormalised() -> dict[Ids, float]:
    """What masking each token would give."""

    def walk(ids: Ids, p: float) -> dict[Ids, float]:
        if len(ids) == LENGTH or ids[-1:] == (MODEL.end,):
            return {ids: p}
        nexts = {i: q for i, q in one_token(ids).items() if accepted(MODEL, (*ids, i))}
        found: dict[Ids, float] = {}
        for token, q in nexts.items():
            found |= walk((*ids, token), p * q / sum(nexts.values()))
        return found

    return walk((), 1.0)


def one_token(ids: Ids) -> dict[int, float]:
    weights = np.asarray(MODEL._source((), ids, MODEL.text(ids)))
    return dict(enumerate(weights / weights.sum()))


def searching(seed: int, model: ToyModel = MODEL, temperature: float = 1.0, **changes: object) -> Search:
    # The empty text is an answer too.
    given = problem(**{"max_tokens": LENGTH, "steps": ("a", "b", "c"), "extract": repr} | changes)
    return Search(given, {"generate": model}, seed=seed, sampling=Sampling(temperature=temperature))


def path(node: Node) -> Ids:
    return tuple(int(t) for part in node.solution_path for t in part.segment.token_ids)


def posterior(search: Search) -> dict[Ids, float]:
    shares: dict[Ids, float] = defaultdict(float)
    for node in search.tree.nodes:
        if WEIGHT in node.scores:
            shares[path(node)] += node.scores[WEIGHT]
    return shares


def distance(a: dict[Ids, float], b: dict[Ids, float]) -> float:
    return 0.5 * sum(abs(a.get(k, 0.0) - b.get(k, 0.0)) for k in {*a, *b})


EXACT = {
    "tokens": {"unit": "token"},
    "few retries": {"unit": "token", "retries": 1},
    "tempered": {"unit": "token", "temperature": 0.6},
    "steps": {"unit": "step"},
    "steps, few retries": {"unit": "step", "retries": 1},
    "steps, tempered": {"unit": "step", "temperature": 1.6},
}


@pytest.mark.parametrize("variant", EXACT)
def test_the_exact_weights_are_unbiased(variant: str) -> None:
    expected, total = conditional()
    runs = 400
    evidence = np.zeros(runs)
    shares: dict[Ids, np.ndarray] = defaultdict(lambda: np.zeros(runs))

    async def sample() -> None:
        for seed in range(runs):
            search = searching(seed)
            await guarded_exact(search, guard=strict, n=3, **EXACT[variant])  # type: ignore[arg-type]
            evidence[seed] = np.exp(search.root.scores[EVIDENCE])
            for ids, share in posterior(search).items():
                shares[ids][seed] = share * evidence[seed]

    run(sample())
    assert abs(evidence.mean() - total) < 4 * evidence.std() / runs**0.5
    for ids in (i for i, p in expected.items() if p > 0.03):
        assert abs(shares[ids].mean() - expected[ids] * total) < 4.5 * shares[ids].std() / runs**0.5, MODEL.text(ids)
    assert sum(s.sum() for ids, s in shares.items() if ids not in expected) == 0


def test_the_exact_variant_converges_to_the_conditional() -> None:
    expected, _ = conditional()

    async def measure(n: int, runs: int) -> float:
        found = []
        for seed in range(runs):
            search = searching(seed)
            await guarded_exact(search, guard=strict, n=n)
            found.append(distance(posterior(search), expected))
        return float(np.mean(found))

    few, some, many = (run(measure(n, runs)) for n, runs in ((8, 20), (64, 8), (512, 2)))
    assert few > 1.5 * some > 2.25 * many
    independent = sum((p * (1 - p)) ** 0.5 for p in expected.values()) / (2 * np.pi * 512) ** 0.5
    assert many < 3 * independent


def test_the_biased_variant_samples_what_masking_would_and_the_exact_one_does_not() -> None:
    expected, masked = conditional()[0], renormalised()
    runs = 1500

    async def sample() -> dict[Ids, float]:
        counts: Counter[Ids] = Counter()
        for seed in range(runs):
            answer = await guarded(searching(seed), guard=strict)
            assert answer.node is not None
            counts[path(answer.node)] += 1
        return {ids: c / runs for ids, c in counts.items()}

    drawn = run(sample())
    noise = sum((p * (1 - p)) ** 0.5 for p in masked.values()) / (2 * np.pi * runs) ** 0.5
    assert distance(drawn, masked) < 2 * noise
    assert distance(masked, expected) > 4 * noise
    assert distance(drawn, expected) > 3 * noise


def test_a_beginning_that_can_hardly_be_completed_is_rare_in_the_exact_variant_only() -> None:
    # After a, only b may follow, which is improbable; after b everything goes.
    table = {(): [0.5, 0.5, 0], (0,): [0.95, 0.05, 0], (1,): [0.5, 0.5, 0]}
    model = ToyModel(["a", "b"], lambda _, ids, __: table.get(ids, [0, 0, 1]))
    guard: Guard = lambda text, whole: not text.startswith("aa")  # noqa: E731

    async def share(method: Callable[..., object], **params: object) -> float:
        begun = 0.0
        for seed in range(150):
            search = searching(seed, model)
            answer: Answer = await method(search, guard=guard, **params)  # type: ignore[misc]
            if params:
                begun += sum(s for ids, s in posterior(search).items() if ids[0] == 0)
            else:
                begun += answer.text.startswith("a")
        return begun / 150

    biased, exact = run(share(guarded)), run(share(guarded_exact, n=24))
    truth = 0.5 * 0.05 / (0.5 * 0.05 + 0.5)
    assert abs(biased - 0.5) < 0.17
    assert abs(exact - truth) < 0.03


@pytest.mark.parametrize("unit", ["token", "step"])
def test_what_a_guard_refuses_never_stays(unit: str) -> None:
    for seed in range(40):
        search = searching(seed, max_tokens=24)
        answer = run(guarded(search, guard=strict, unit=unit))  # type: ignore[arg-type]
        assert answer.node is not None
        text = answer.node.solution
        assert all(strict(text[:i], False) for i in range(len(text) + 1))
        assert strict(text, answer.node.complete)
        scores = answer.node.scores
        generated = search.ledger.usage.total.generated
        assert generated == answer.node.tokens + scores["guarded_tokens"]


def test_a_dead_end_is_left_by_undoing_what_led_to_it() -> None:
    # After a nothing is accepted.
    model = letters({"a": 0.9, "b": 0.1}, length=3)
    guard: Guard = lambda text, whole: "a" not in text[:-1] and not (whole and text.endswith("a"))  # noqa: E731
    for unit in ("token", "step"):
        texts = {
            run(guarded(searching(seed, model, max_tokens=9), guard=guard, unit=unit, retries=4)).text  # type: ignore[arg-type]
            for seed in range(10)
        }
        assert all(set(t) <= {"b"} for t in texts)
    assert "bbb" in {
        run(guarded(searching(seed, model, max_tokens=9), guard=guard, unit="token")).text for seed in range(10)
    }


def test_the_guard_that_refuses_everything_ends_both() -> None:
    nothing: Guard = lambda text, whole: not text and not whole  # noqa: E731
    answer = run(guarded(searching(0), guard=nothing))
    assert answer.text == "" and answer.node is not None and not answer.node.complete
    search = searching(0)
    answer = run(guarded_exact(search, guard=nothing, n=2))
    assert answer.value is None and answer.status is Status.ABSTAINED
    assert search.root.scores[EVIDENCE] == -np.inf


def test_an_error_in_a_guard_reaches_the_caller() -> None:
    def broken(text: str, whole: bool) -> bool:
        raise ZeroDivisionError("a guard of its own")

    for method in (guarded, guarded_exact):
        with pytest.raises(ZeroDivisionError):
            run(method(searching(0), guard=broken))


@pytest.mark.parametrize(
    "text", ["", " ", "{", '{"a', '{"a": ', '{"a": -', '[1, {"b": [tru', '"\\u12', "12", "1.", '{"a":1}']
)
def test_the_beginning_of_json_is_accepted(text: str) -> None:
    assert json_guard(text, False)


@pytest.mark.parametrize("text", ["x", "{,", "[1 2", '{"a":1]', '{"a":1} x', "01", '{"a":1,}', "NaN"])
def test_what_can_never_become_json_is_refused(text: str) -> None:
    assert not json_guard(text, False) and not json_guard(text, True)


def test_unfinished_json_may_not_end() -> None:
    assert not json_guard('{"a": 1', True) and json_guard('{"a": 1}', True)


@pytest.mark.parametrize("spec", ["guarded", "guarded?n=3&unit=token", "guarded_exact?n=3", "guarded_exact?unit=token"])
def test_conformance(spec: str) -> None:
    given = load_problems("arith", count=1, seed=0, shots=0)[0]
    check_method(spec, problem=replace(given, step_verifier=lambda text: float("13" not in text)))
