"""The methods that sample whole solutions, on a model whose answers have known probabilities."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from clew.budget import Budget
from clew.errors import BudgetExhausted, UsageError
from clew.ledger import Gauge
from clew.methods.sample.best_of_n import best
from clew.methods.sample.first_finish import CHUNK
from clew.models.base import Context, Model
from clew.models.toy import ToyModel
from clew.problem import Answer, Problem, Status
from clew.result import Result
from clew.runner import Trial, run_trial
from clew.sampling import Sampling, Stream, Until
from clew.search import Search
from clew.testing import check_method
from clew.testing.toys import geometric, letters, problem, run
from clew.tree import Finish, Node, Segment

# One letter is the answer; "b" is the most probable, "a" the first in the alphabet.
ANSWERS = {"a": 0.35, "b": 0.4, "c": 0.25}
SAMPLED = ("greedy", "sample", "best_of_n", "self_consistency", "rpc", "first_finish", "pass_until")


def solved(
    method: str, model: Model | None = None, *, seed: int = 0, given: Problem | None = None, tokens: int = 4000
) -> Result:
    toy = model or letters(ANSWERS, length=1)
    return run(
        run_trial(
            Trial(given or problem(), method, seed),
            {"generate": toy},
            Budget(tokens=tokens),
            sampling=Sampling(temperature=1.0),
        )
    )


@pytest.mark.parametrize(
    "spec", [*SAMPLED, "self_consistency?weighting=borda", "self_consistency?weighting=probability", "best_of_n?n=5"]
)
def test_conformance(spec: str) -> None:
    check_method(spec)


def test_greedy_takes_the_mode() -> None:
    assert {str(solved("greedy", seed=seed)) for seed in range(5)} == {"b"}


def test_sample_is_one_draw() -> None:
    counts = Counter(str(solved("sample", seed=seed)) for seed in range(600))
    for letter, p in ANSWERS.items():
        assert abs(counts[letter] / 600 - p) < 5 * (p * (1 - p) / 600) ** 0.5


def test_methods_on_the_same_seed_share_their_samples() -> None:
    trees = [
        [n.solution for n in solved(m, seed=3).leaves] for m in ("self_consistency?n=9", "rpc?n=9", "best_of_n?n=9")
    ]
    assert trees[0] == trees[1] == trees[2] and len(set(trees[0])) > 1


def test_self_consistency_converges_to_the_most_probable_answer() -> None:
    """The paper's claim: voting over more samples is right more often, where the right answer is the likeliest."""
    shares = [np.mean([str(solved(f"self_consistency?n={n}", seed=s)) == "b" for s in range(150)]) for n in (1, 9, 81)]
    assert shares[0] < shares[1] < shares[2] and shares[2] > 0.6


def test_best_of_n_takes_the_highest_score() -> None:
    result = solved("best_of_n?n=12&scorer=logprob", letters(ANSWERS, length=3))
    scores = {leaf.solution: leaf.scores["logprob"] for leaf in result.leaves}
    assert result.answer.value == max(scores, key=scores.__getitem__)
    assert scores[str(result)] == pytest.approx(sum(np.log(ANSWERS[c]) for c in str(result)), rel=1e-5)


def test_best_of_n_refuses_a_scorer_that_compares_solutions() -> None:
    with pytest.raises(UsageError, match="self_consistency"):
        solved("best_of_n?n=4&scorer=vote_share", letters(ANSWERS, length=1))


def test_borda_weights_follow_the_rank() -> None:
    plain = solved("self_consistency?n=20", letters(ANSWERS, length=1))
    steep = solved("self_consistency?n=20&weighting=borda&scorer=logprob&power=1", letters(ANSWERS, length=1))
    counts = Counter(leaf.solution for leaf in plain.leaves)
    ranks = sorted(range(20), key=lambda i: -np.log(ANSWERS[plain.leaves[i].solution]))
    expected: Counter[str] = Counter()
    for rank, i in enumerate(ranks):
        expected[plain.leaves[i].solution] += 20 - rank
    assert dict(plain.answer.votes) == dict(counts)
    assert dict(steep.answer.votes) == {k: float(v) for k, v in expected.items()}


def test_borda_ranks_all_solutions_also_those_without_an_answer() -> None:
    """As the authors count: N is the number of solutions, and one without an answer takes its rank along."""
    given = problem(extract=lambda text: text if text != "b" else None)
    result = solved("self_consistency?n=20&weighting=borda&scorer=logprob&power=1", given=given)
    ranked = sorted(result.leaves, key=lambda leaf: -leaf.scores["logprob"])
    expected: Counter[str] = Counter()
    for rank, leaf in enumerate(ranked):
        if leaf.solution != "b":
            expected[leaf.solution] += 20 - rank
    assert dict(result.answer.votes) == {k: float(v) for k, v in expected.items()}


def test_log_probabilities_weigh_votes_by_their_exponentials() -> None:
    """They are all below 0: as they are, they would be no weights at all."""
    result = solved("self_consistency?n=20&weighting=score&scorer=logprob")
    counts = Counter(leaf.solution for leaf in result.leaves)
    most = max(ANSWERS[k] for k in counts)
    assert dict(result.answer.votes) == pytest.approx({k: n * ANSWERS[k] / most for k, n in counts.items()})


def test_a_score_that_is_none_never_wins() -> None:
    leaves = solved("self_consistency?n=6").leaves
    for i, leaf in enumerate(leaves):
        leaf.scores["logprob"] = math.nan if i != 4 else -5.0
    assert best(problem(), leaves, {"scorer": "logprob"}).node is leaves[4]


def test_first_finish_charges_what_it_gives_up() -> None:
    result = solved("first_finish?n=8", geometric(0.02), given=problem(max_tokens=500))
    drawn = [n for n in result.tree.nodes if n.parent is not None]
    first = result.answer.node
    assert first is not None and first.finish is Finish.END
    assert result.usage.total.generated == sum(len(n.segment) for n in drawn)
    ends = [n for n in drawn if not n.children]
    assert len(ends) == 8 and {n.fate for n in ends if not n.complete} == {"not the first to end"}
    assert all(n.tokens < first.tokens + CHUNK for n in ends), "the others are written no further than in step"


def test_first_finish_prefers_short_solutions() -> None:
    """What its gain rests on: the answer is the shortest of n, so it wins only where short means right."""
    lengths = [
        np.mean([len(str(solved(f"first_finish?n={n}", geometric(), seed=s))) for s in range(80)]) for n in (1, 8)
    ]
    assert lengths[1] < lengths[0] / 2


class OneSeat(ToyModel):
    """A model under load: it admits one continuation at a time, the last one asked for first."""

    async def extend(
        self, context: Context, *, until: Until, sampling: Sampling, streams: Sequence[Stream], gauges: Sequence[Gauge]
    ) -> list[Segment]:
        made = [
            await super(OneSeat, self).extend(context, until=until, sampling=sampling, streams=[s], gauges=[g])
            for s, g in reversed(list(zip(streams, gauges, strict=True)))
        ]
        return [segment for (segment,) in reversed(made)]


def test_first_finish_is_decided_by_tokens_not_by_arrival() -> None:
    """The same answers with all samples admitted together and one after the other."""
    quiet = geometric()
    busy = OneSeat(quiet.vocab[:-1], quiet._source)
    answers = [[str(solved("first_finish?n=8", model, seed=s)) for s in range(30)] for model in (quiet, busy)]
    assert answers[0] == answers[1]
    assert np.mean([len(answer) for answer in answers[1]]) < 2, "the shortest of eight, of a mean length of 4"


def test_pass_until_is_unbiased() -> None:
    given = replace(problem(), verifier=lambda value: float(value == "c"))
    model = letters({"a": 0.9, "c": 0.1}, length=1)
    estimates = [
        solved("pass_until?passes=3", model, seed=s, given=given, tokens=10**6).answer.confidence for s in range(400)
    ]
    values = np.array([e for e in estimates if e is not None])
    assert len(values) == 400
    assert abs(values.mean() - 0.1) < 4 * values.std() / 20
    assert solved("pass_until", model, given=given).answer.value == "c"


def test_a_search_cut_short_returns_its_last_proposal() -> None:
    result = solved("self_consistency?n=500", tokens=60)
    assert result.answer.status is Status.EXHAUSTED
    assert result.answer.value == result.proposals[-1].answer.value is not None


def test_without_a_single_sample_there_is_no_answer_and_no_crash() -> None:
    toy = letters(length=50)
    prompt = len(toy.render(problem().messages))
    for method in ("greedy", "self_consistency", "best_of_n", "rpc", "first_finish"):
        result = solved(method, toy, tokens=prompt + 3)
        assert (result.answer.value, result.answer.status) == (None, Status.EXHAUSTED)


def test_combining_many_samples_costs_in_proportion_to_their_number() -> None:
    combined: list[int] = []

    def combine(samples: Sequence[Node]) -> Answer:
        combined.append(len(samples))
        return Answer(str(len(samples)))

    s = Search(problem(), {"generate": letters()}, Budget(tokens=10**6))
    answer = run(s.aggregate(400, combine))
    assert combined[:16] == list(range(1, 17)) and combined[-1] == 400
    assert answer.value == "400" and sum(combined) < 20 * 400
    # Where the budget ends it, all that were drawn are combined.
    s = Search(problem(), {"generate": letters()}, Budget(tokens=300))
    with pytest.raises(BudgetExhausted):
        run(s.aggregate(400, combine))
    assert s.proposals[-1].answer.value == str(len(s.samples)) != "400"
