"""Budgets, usage and the ledger between them."""

from __future__ import annotations

import threading

import pytest

from clew.budget import AXES, Budget, Cost, Usage
from clew.errors import BudgetExhausted, UsageError
from clew.ledger import Ledger

FREE = Cost()


@pytest.mark.parametrize("limit", [{"tokens": 0}, {"seconds": -1.0}, {"usd": float("nan")}, {"flops": float("inf")}])
def test_a_budget_that_buys_nothing_is_refused(limit: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="above zero"):
        Budget(**limit)  # type: ignore[arg-type]


def test_prompt_and_generated_tokens_count_and_reused_ones_do_not() -> None:
    ledger = Ledger(Budget(tokens=100))
    ledger.open("m", "generate", FREE, fresh=40, reused=0).take(10)
    ledger.open("m", "generate", FREE, fresh=0, reused=50).take(5)
    total = ledger.usage.total
    assert (total.prefilled, total.reused, total.generated, total.tokens, total.calls) == (40, 50, 15, 55, 2)
    assert ledger.tokens_left == 45


def test_the_token_that_reaches_the_limit_is_the_last() -> None:
    ledger = Ledger(Budget(tokens=12))
    gauge = ledger.open("m", "generate", FREE, fresh=9, reused=0)
    assert [gauge.take(), gauge.take(), gauge.take()] == [True, True, False]
    with pytest.raises(BudgetExhausted):
        ledger.open("m", "generate", FREE, fresh=0, reused=12)


def test_a_limit_on_generated_tokens_counts_them_alone() -> None:
    ledger = Ledger(Budget(generated=3, tokens=100))
    gauge = ledger.open("m", "generate", FREE, fresh=90, reused=0)
    assert gauge.left == 3 and ledger.affords(FREE, 0, 3) and not ledger.affords(FREE, 0, 4)
    assert [gauge.take(), gauge.take(), gauge.take()] == [True, True, False]
    with pytest.raises(BudgetExhausted):
        ledger.open("m", "judge", FREE, fresh=1, reused=0)


def test_a_context_that_cannot_be_paid_for_is_not_charged() -> None:
    ledger = Ledger(Budget(tokens=10))
    with pytest.raises(BudgetExhausted):
        ledger.open("m", "generate", FREE, fresh=10, reused=0)
    assert ledger.usage.total.tokens == 0


def test_calls_are_counted_before_they_are_made() -> None:
    ledger = Ledger(Budget(calls=2))
    for _ in range(2):
        ledger.open("m", "generate", FREE, fresh=1, reused=0)
    with pytest.raises(BudgetExhausted):
        ledger.open("m", "generate", FREE, fresh=1, reused=0)


def test_flops_are_two_per_weight_plus_attention() -> None:
    cost = Cost(params=100, layers=2, width=8)
    # Token i attends to 10 + i earlier ones: 4·2·8 each.
    assert cost.flops(3, 10) == 2 * 100 * 3 + 64 * (10 + 11 + 12)
    ledger = Ledger(Budget(flops=1000))
    gauge = ledger.open("m", "generate", cost, fresh=0, reused=10)
    assert gauge.take() and not gauge.take()


def test_dollars_follow_the_price_list_and_cached_input_is_cheaper() -> None:
    cost = Cost(usd_input=1.0, usd_cached=0.1, usd_output=10.0)
    assert cost.usd(prefilled=10**6, reused=10**6, generated=10**6) == pytest.approx(11.1)
    ledger = Ledger(Budget(usd=0.0001))
    gauge = ledger.open("m", "generate", cost, fresh=10, reused=0)
    assert gauge.take(5) and not gauge.take(5)


def test_seconds_end_a_search_whatever_it_does() -> None:
    now = [0.0]
    ledger = Ledger(Budget(seconds=5), clock=lambda: now[0])
    gauge = ledger.open("m", "generate", FREE, fresh=1, reused=0)
    assert gauge.take()
    now[0] = 5.5
    assert not gauge.take()
    assert ledger.usage.seconds == 5.5


def test_seconds_of_a_role_count_overlapping_calls_once() -> None:
    now = [0.0]
    ledger = Ledger(Budget(), clock=lambda: now[0])
    first = ledger.open("m", "judge", FREE, fresh=1, reused=0)
    now[0] = 1.0
    second = ledger.open("m", "judge", FREE, fresh=1, reused=0)
    now[0] = 3.0
    first.release()
    now[0] = 4.0
    second.release()
    assert ledger.usage.parts["m", "judge"].seconds == 4.0
    assert ledger.usage.peak == 2


def test_a_closed_gauge_tells_the_model_at_its_next_token_and_at_once() -> None:
    gauge = Ledger(Budget()).open("m", "generate", FREE, fresh=1, reused=0)
    told = threading.Event()
    gauge.on_close(told.set)
    assert gauge.take() and not told.is_set()
    gauge.close()
    assert told.is_set() and not gauge.take()


def test_charges_from_many_threads_add_up() -> None:
    ledger = Ledger(Budget())
    gauges = [ledger.open("m", "generate", FREE, fresh=0, reused=1) for _ in range(4)]
    threads = [threading.Thread(target=lambda g=g: [g.take() for _ in range(2000)]) for g in gauges]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert ledger.usage.total.generated == 8000


def test_each_axis_measures_a_usage_and_limits_a_budget_where_there_is_such_a_limit() -> None:
    limited = {axis: Budget.along(axis, 7.5).as_dict() for axis in AXES}
    assert limited == {
        "generated": {"generated": 7},
        "tokens": {"tokens": 7},
        "calls": {"calls": 7},
        "seconds": {"seconds": 7.5},
        "flops": {"flops": 7.5},
        "usd": {"usd": 7.5},
    }
    assert [Usage().along(axis) for axis in AXES] == [0.0] * len(AXES)
