"""Particle methods against enumerated posteriors and normalising constants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from clew.budget import Budget
from clew.errors import UsageError
from clew.methods.common.particles import EVIDENCE, WEIGHT
from clew.methods.particles.particles import POTENTIAL, entropic, particle_filter, particle_gibbs
from clew.methods.tree.beam import beam
from clew.models import load
from clew.models.toy import Ids, ToyModel
from clew.models.toy.specs import markov
from clew.problem import Answer
from clew.runner import Trial, run_trial
from clew.sampling import Sampling
from clew.scorers.base import PerNode
from clew.search import Scorer, Search
from clew.tasks import load_problems
from clew.testing import check_method
from clew.testing.toys import letters, problem, run
from clew.tree import Node

LENGTH = 4
STEPS = ("a", "b")


class Judge:
    """Scores a node by a function of its text; the calls are counted."""

    name = "judge"

    def __init__(self, worth: Callable[[str], float]) -> None:
        self.worth = worth
        self.judged: list[Node] = []

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        self.judged += nodes
        return [self.worth(n.solution) for n in nodes]


def worth(text: str) -> float:
    """Misleading at first: what begins with b looks bad, and is good when it goes on with a."""
    return (0.15 if text.startswith("b") and len(text) < 3 else 0.5) * (3.0 if "ba" in text else 1.0)


def searching(model: ToyModel, seed: int, temperature: float = 1.0, **changes: object) -> Search:
    given = problem(**{"steps": STEPS, "max_tokens": LENGTH} | changes)
    return Search(given, {"generate": model}, seed=seed, sampling=Sampling(temperature=temperature))


def truth(model: ToyModel, target: str) -> tuple[dict[Ids, float], float]:
    """The enumerated posterior and its normalising constant."""
    weighted = {}
    for ids, p in model.enumerate(LENGTH).items():
        scores = [worth(model.text(ids[: i + 1])) for i in range(len(ids))]
        weighted[ids] = p * (scores[-1] if target == "value" else float(np.prod(scores)))
    total = sum(weighted.values())
    return {ids: w / total for ids, w in weighted.items()}, total


def posterior(search: Search) -> dict[Ids, float]:
    """The weights recorded on the leaves, by token path."""
    shares: dict[Ids, float] = defaultdict(float)
    for node in search.tree.nodes:
        if WEIGHT in node.scores:
            ids = tuple(int(t) for part in node.solution_path for t in part.segment.token_ids)
            shares[ids] += node.scores[WEIGHT]
    return shares


def distance(a: dict[Ids, float], b: dict[Ids, float]) -> float:
    """Total variation."""
    return 0.5 * sum(abs(a.get(k, 0.0) - b.get(k, 0.0)) for k in {*a, *b})


VARIANTS = {
    "value": (particle_filter, {}),
    "product": (particle_filter, {"target": "product"}),
    "every step": (particle_filter, {"ess": 1.01, "scheme": "multinomial"}),
    "stratified": (particle_filter, {"ess": 0.9, "scheme": "stratified"}),
    "residual, product": (particle_filter, {"ess": 0.9, "scheme": "residual", "target": "product"}),
    "tempered": (particle_filter, {"temperature": 0.6, "ess": 0.9}),
    "tempered, product": (particle_filter, {"temperature": 1.7, "ess": 0.9, "target": "product"}),
    "entropic": (entropic, {"ess": 0.95, "horizon": 8}),
    "look-ahead": (entropic, {"ess": 0.95, "horizon": 8, "look_ahead": True}),
    "look-ahead, product": (entropic, {"ess": 0.95, "horizon": 8, "look_ahead": True, "target": "product"}),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_are_proper(variant: str) -> None:
    """The estimate of the normalising constant is unbiased, and so is that of every path's unnormalised weight."""
    method, params = VARIANTS[variant]
    model = markov(vocab="ab", seed=3)
    expected, total = truth(model, str(params.get("target", "value")))
    runs = 500
    evidence = np.zeros(runs)
    shares: dict[Ids, np.ndarray] = defaultdict(lambda: np.zeros(runs))

    async def sample() -> None:
        for seed in range(runs):
            search = searching(model, seed)
            await method(search, n=4, scorer=Judge(worth), potential="score", **params)
            evidence[seed] = np.exp(search.root.scores[EVIDENCE])
            for ids, share in posterior(search).items():
                shares[ids][seed] = share * evidence[seed]

    run(sample())
    assert abs(evidence.mean() - total) < 4 * evidence.std() / runs**0.5
    for ids in (i for i, p in expected.items() if p > 0.02):
        assert abs(shares[ids].mean() - expected[ids] * total) < 4.5 * shares[ids].std() / runs**0.5, model.text(ids)


def mean_distance(n: int, runs: int, **params: object) -> float:
    model = markov(vocab="ab", seed=3)
    expected, _ = truth(model, "value")

    async def sample() -> float:
        found = []
        for seed in range(runs):
            search = searching(model, seed)
            await particle_filter(search, n=n, scorer=Judge(worth), potential="score", **params)  # type: ignore[arg-type]
            found.append(distance(posterior(search), expected))
        return float(np.mean(found))

    return run(sample())


def test_the_posterior_converges_with_the_number_of_particles() -> None:
    few, some, many = mean_distance(8, 30), mean_distance(64, 12), mean_distance(512, 4)
    assert few > 1.5 * some > 2.25 * many
    # Of K paths with posterior p, n independent draws are Σ√(p(1-p)/n)/√(2π) off on average; SMC costs a factor.
    expected, _ = truth(markov(vocab="ab", seed=3), "value")
    independent = sum((p * (1 - p)) ** 0.5 for p in expected.values()) / (2 * np.pi * 512) ** 0.5
    assert many < 3 * independent


def test_gibbs_converges_with_the_number_of_sweeps_where_a_filter_of_as_few_particles_does_not() -> None:
    model = markov(vocab="ab", seed=3)
    expected, _ = truth(model, "value")

    async def gibbs(sweeps: int, seed: int) -> float:
        search = searching(model, seed)
        await particle_gibbs(search, n=3, sweeps=sweeps, scorer=Judge(worth), potential="score")
        return distance(posterior(search), expected)

    async def filters(runs: int) -> float:
        """The average of so many filters: all their particles, yet each normalised by itself."""
        pooled: dict[Ids, float] = defaultdict(float)
        for seed in range(runs):
            search = searching(model, seed)
            await particle_filter(search, n=3, scorer=Judge(worth), potential="score", ess=1.01)
            for ids, share in posterior(search).items():
                pooled[ids] += share / runs
        return distance(pooled, expected)

    async def measure() -> tuple[float, float, float]:
        short = float(np.mean([await gibbs(4, seed) for seed in range(30)]))
        long = float(np.mean([await gibbs(400, seed) for seed in range(4)]))
        return short, long, await filters(800)

    short, long, filtered = run(measure())
    assert long < short / 3
    assert long < 0.09
    assert long < filtered


def test_the_reference_path_of_gibbs_costs_nothing_and_is_scored_once() -> None:
    judge = Judge(worth)
    search = searching(letters({"a": 0.5, "b": 0.5}, length=9), 0)
    run(particle_gibbs(search, n=2, sweeps=3, scorer=judge, potential="score"))
    # The first sweep grows two paths of four tokens, each other sweep one.
    assert search.ledger.usage.total.generated == LENGTH * (2 + 1 + 1)
    assert len({id(n) for n in judge.judged}) == len(judge.judged)


def test_a_finished_particle_costs_nothing_and_keeps_its_weight() -> None:
    # a ends at once, b goes on for three more tokens.
    model = ToyModel(["a", "b"], lambda _, ids, __: [(1, 1, 0), (0, 1, 0), (0, 0, 1)][_state(ids)])
    judge = Judge(lambda text: 0.5 if text.startswith("a") else 1.0)
    search = searching(model, 1, max_tokens=16)
    run(particle_filter(search, n=6, scorer=judge, potential="score", ess=0.0))
    leaves = [n for n in search.tree.nodes if WEIGHT in n.scores]
    short = [n for n in leaves if n.solution == "a"]
    assert 0 < len(short) < len(leaves)
    assert search.ledger.usage.total.generated == sum(n.tokens for n in leaves)
    ratio = leaves[-1].scores[WEIGHT] / short[0].scores[WEIGHT] if leaves[-1] not in short else None
    assert ratio is None or ratio == pytest.approx(2.0)
    assert {n.solution for n in leaves} == {"a", "bbbb"}


def _state(ids: Ids) -> int:
    if not ids:
        return 0
    return 2 if ids[0] == 0 or len(ids) == 4 else 1


def test_particles_survive_a_score_that_misleads_a_beam() -> None:
    """The claim of the paper: weights keep what a noisy score makes a beam cut (here b looks bad at first)."""
    model = letters({"a": 0.5, "b": 0.5}, length=4)

    def misled(text: str) -> float:
        return 0.3 if text == "b" else 0.6 if len(text) < 4 else float(text.startswith("bb"))

    async def measure() -> tuple[int, int]:
        kept, cut = 0, 0
        for seed in range(60):
            particles = await particle_filter(searching(model, seed), n=8, scorer=Judge(misled), potential="score")
            top = await beam(searching(model, seed), width=2, expand=4, scorer=Judge(misled))
            kept += (particles.value or "").startswith("bb")
            cut += (top.value or "").startswith("bb")
        return kept, cut

    kept, cut = run(measure())
    assert kept > 45 and cut < 15


def overconfident(text: str) -> float:
    """Sure of the decoy (d) at first; at the end it knows better."""
    if len(text) < 4:
        return 0.99 if text.startswith("d") else 1e-4
    return 0.01 if text.startswith("d") else 1.0


def test_entropic_annealing_survives_an_overconfident_score() -> None:
    """The claim of arXiv:2510.05825: annealing keeps the diversity that a filter loses to early overconfidence."""
    model = letters({"d": 0.12, "a": 0.44, "b": 0.44}, length=4)

    async def measure(method: Callable[..., object]) -> tuple[float, float]:
        right, ancestors = [], []
        for seed in range(80):
            search = searching(model, seed, steps=("d", "a", "b"), max_tokens=8)
            answer: Answer = await method(search, n=8, scorer=Judge(overconfident), potential="score")  # type: ignore[misc]
            right.append(not (answer.value or "d").startswith("d"))
            leaves = [n for n in search.tree.nodes if WEIGHT in n.scores]
            ancestors.append(len({n.path()[1].id for n in leaves}))
        return float(np.mean(right)), float(np.mean(ancestors))

    plain, annealed = run(measure(particle_filter)), run(measure(entropic))
    assert annealed[0] > plain[0] + 0.2
    assert annealed[1] > plain[1] + 0.4


def test_looking_ahead_helps_where_a_score_comes_one_step_late() -> None:
    model = letters({"a": 0.8, "b": 0.2}, length=4)

    def late(text: str) -> float:
        return 1.0 if len(text) < 2 else 1.0 if text.startswith("b") else 0.05

    async def spread(look_ahead: bool) -> float:
        logs = []
        for seed in range(150):
            search = searching(model, seed, max_tokens=8)
            await entropic(search, n=4, scorer=Judge(late), potential="score", ess=1.01, look_ahead=look_ahead, early=0)
            logs.append(search.root.scores[EVIDENCE])
        return float(np.std(logs))

    assert run(spread(True)) < run(spread(False))


def test_the_default_potential_follows_from_the_scale_of_the_scores() -> None:
    def recorded(scorer: Scorer | str) -> set[float]:
        search = searching(letters({"a": 0.5, "b": 0.5}, length=2), 0, max_tokens=2)
        run(particle_filter(search, n=3, scorer=scorer))
        return {round(n.scores[POTENTIAL], 6) for n in search.tree.nodes if POTENTIAL in n.scores}

    assert recorded(PerNode("sure", lambda *_: 0.9, "probability")) == {round(float(np.log(9)), 6)}
    assert recorded(PerNode("log", lambda *_: -2.5, "log_probability")) == {-2.5}
    assert recorded(PerNode("any", lambda *_: 0.9)) == recorded(Judge(lambda _: 0.9)) == {0.9}, "said or not said"
    with pytest.raises(UsageError, match="scale"):
        recorded(PerNode("odd", lambda *_: 0.9, "percent"))  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", ["particle_filter?n=8", "entropic?n=8", "particle_gibbs?n=4&sweeps=2"])
def test_by_default_the_weights_select_what_a_verifier_of_steps_passes(spec: str) -> None:
    """Queens with a perfect step verifier, whose scores are probabilities: exp weighs right against wrong e to 1."""
    model, problems = load("toy:queens?skill=0.3"), load_problems("puzzle:queens", count=30, seed=0)

    def solved(more: str) -> float:
        trials = (Trial(given, f"{spec}&scorer=step_verifier{more}", 0) for given in problems)
        return float(np.mean([run(run_trial(trial, {"generate": model}, Budget())).grade or 0.0 for trial in trials]))

    assert solved("") > solved("&potential=exp") + 0.4


def test_when_all_particles_die_they_go_on_and_the_evidence_is_nothing() -> None:
    search = searching(letters({"a": 0.5, "b": 0.5}, length=2), 0, max_tokens=8)
    answer = run(particle_filter(search, n=3, scorer=Judge(lambda _: float("nan"))))
    assert answer.value is not None and search.root.scores[EVIDENCE] == -np.inf


@pytest.mark.parametrize("spec", ["particle_filter?n=4", "entropic?n=4&look_ahead=true", "particle_gibbs?n=3&sweeps=2"])
def test_conformance(spec: str) -> None:
    check_method(spec)
