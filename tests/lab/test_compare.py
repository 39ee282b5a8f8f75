"""The comparison: pairing, differences, what is left out, and its table."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console

from clew.budget import Budget
from clew.errors import UsageError
from clew.lab.compare import summarise
from clew.lab.comparison import amount
from clew.lab.table import render_table
from clew.result import Result
from support.results import problem, sampled, stamped


def searches(n: int = 12, seeds: int = 2) -> list[Result]:
    """Greedy is right on the even problems; voting on all but every fifth."""
    found = []
    for i in range(n):
        asked = problem(f"p{i}")
        for seed in range(seeds):
            found.append(stamped([("yes" if i % 2 == 0 else "no", 20)], of=asked, budget=Budget(tokens=90), seed=seed))
            texts = [("no", 10)] * 4 if i % 5 == 4 else [("yes", 10)] * 4
            found.append(sampled(texts, of=asked, budget=Budget(tokens=90), seed=seed))
    return found


def test_accuracy_difference_and_spending_by_hand() -> None:
    c = summarise(searches(), budgets=(80, 15, 40))
    assert (c.budgets, c.baseline, c.names) == ((15, 40, 80), "greedy", ["greedy", "self_consistency"])
    assert (c.problems, c.seeds, c.searches, c.left_out) == (12, 2, 24, 0)
    greedy, vote = c.of("greedy"), c.of("self_consistency")
    assert [r.accuracy for r in greedy] == [0.0, 0.5, 0.5]
    assert [r.accuracy for r in vote] == pytest.approx([0.0, 10 / 12, 10 / 12])
    assert vote[2].difference == pytest.approx(4 / 12)
    low, high = vote[2].difference_interval or (0, 0)
    assert low < 4 / 12 < high
    assert greedy[2].difference is None
    assert (greedy[2].used["tokens"], vote[2].used["tokens"]) == (30, 50)
    assert [r.pareto for r in greedy + vote] == [False, False, False, False, True, False]
    assert c.methods[1].prefill_ratio == 1.0
    assert c.methods[1].resampled
    assert not c.methods[0].resampled


def test_the_difference_is_paired() -> None:
    """Two methods that disagree on few problems differ clearly, however widely the problems themselves vary."""
    results = []
    for i in range(40):
        asked = problem(f"p{i}")
        results.append(stamped([("yes" if i < 20 else "no", 5)], of=asked))
        results.append(stamped([("yes" if i < 28 else "no", 5)], of=asked, method="sample"))
    row = summarise(results, budgets=(50,)).of("sample")[0]
    assert row.interval is not None and row.difference_interval is not None
    assert row.interval.low < 0.56
    assert row.difference_interval.low > 0.05


def test_pass_and_majority_of_the_samples() -> None:
    results = [sampled([("yes", 5), ("no", 5), ("no", 5), ("maybe", 5)], of=problem(f"p{i}")) for i in range(3)]
    (method,) = summarise(results, budgets=(100,)).methods
    assert list(method.pass_at) == [1, 2, 4]
    assert [e.value for e in method.pass_at.values()] == pytest.approx([1 / 4, 1 / 2, 1.0])
    assert [e.value for e in method.maj_at.values()] == pytest.approx([1 / 4, 1 / 4, 0.0], abs=1e-12)
    assert method.samples == 4


def test_only_what_every_method_finished_is_compared() -> None:
    results = searches(6, 1)
    failed = stamped([], of=problem("p9"), method="greedy")
    failed.error = "the server is gone"
    extra = sampled([("yes", 10)], of=problem("p9"))
    c = summarise([*results, failed, extra], budgets=(40,))
    assert (c.problems, c.left_out) == (6, 1)
    assert "1 pairs of problem and seed left out" in shown(c)


def test_a_budget_beyond_the_recordings_is_not_reached() -> None:
    c = summarise(searches(), budgets=(80, 200))
    assert [r.reached for r in c.of("greedy")] == [True, False]
    row = c.of("self_consistency")[1]
    assert (row.accuracy, row.interval, row.difference, row.used, row.pareto) == (None, None, None, {}, False)
    assert "not reached" in shown(c)


def test_what_was_held_equal() -> None:
    c = summarise(searches(), budgets=(80,))
    assert c.models == ("m",)
    assert "the model (m)" in c.held_equal
    assert "the limit that each search ran under (90 tokens)" in c.held_equal
    results = searches()
    results[0].budget = Budget(tokens=95)
    assert not any("limit" in e for e in summarise(results, budgets=(80,)).held_equal)


def test_json_holds_everything_and_is_repeatable() -> None:
    first, second = (json.dumps(summarise(searches(), budgets=(15, 80)).as_dict()) for _ in range(2))
    assert first == second
    data = json.loads(first)
    assert "NaN" not in first
    assert data["rows"][3]["difference"] == pytest.approx(1 / 3)
    assert len(data["rows"][3]["interval"]) == 2


def test_many_orders_agree_with_the_full_budget() -> None:
    rng = np.random.default_rng(0)
    results = [
        sampled(
            [("yes" if rng.random() < 0.6 else "no", int(rng.integers(3, 9))) for _ in range(15)],
            of=problem(f"p{i}"),
            budget=Budget(tokens=200),
        )
        for i in range(8)
    ]
    (row,) = summarise(results, budgets=(200,)).rows
    assert row.accuracy == np.mean([r.grade for r in results])


def shown(comparison) -> str:
    console = Console(width=110, record=True, file=io.StringIO())
    console.print(render_table(comparison))
    return " ".join(console.export_text().split())


def test_the_table_reads_well() -> None:
    text = shown(summarise(searches(), budgets=(15, 80)))
    assert "Accuracy in percent at equal tokens" in text
    assert "vs greedy" in text
    assert "83*" in text
    assert "+33" in text
    assert "12 problems × 2 seeds" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budgets": ()}, "budgets above zero"),
        ({"budgets": (0,)}, "budgets above zero"),
        ({"budgets": (10,), "axis": "joules"}, "'joules' is not an axis"),
        ({"budgets": (10,), "baseline": "rpc"}, "baseline 'rpc' is not among"),
    ],
)
def test_bad_input(options, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        summarise(searches(2, 1), **options)


def test_nothing_to_compare() -> None:
    with pytest.raises(UsageError, match="every method has finished"):
        summarise([], budgets=(10,))
    with pytest.raises(UsageError, match="every method has finished"):
        summarise([stamped([("yes", 1)]), sampled([("yes", 1)], of=problem("q"))], budgets=(10,))
    with pytest.raises(UsageError, match="two results"):
        summarise([stamped([("yes", 1)]), stamped([("yes", 1)])], budgets=(10,))


def test_amounts() -> None:
    texts = [amount(x) for x in (0, 0.25, 3, 12.3, 1600, 2.5e6, 3.2e12, 1e-4)]
    assert texts == ["0", "0.25", "3", "12", "1,600", "2.5 M", "3.2 T", "0.0001"]
