"""How many threads compute, on a simulated machine, and that several models share one thread that leads them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import pytest

from clew.models.llamacpp.lane import Lane
from clew.models.llamacpp.threads import ThreadControl, short_waits

Machine = Callable[[int], tuple[float, float]]
"""Threads → seconds of a batch, and the share of them in which the leading thread runs."""


def quiet(threads: int) -> tuple[float, float]:
    return 0.02 / threads, 0.96


def crowded(threads: int) -> tuple[float, float]:
    """Others hold the cores: who waits for several threads waits long."""
    return (0.03, 0.7) if threads == 1 else (0.2, 0.4)


def shared(threads: int) -> tuple[float, float]:
    """Others hold the cores, and two threads get twice as much of them as one."""
    return 0.06 / threads, 0.5


def spent(control: ThreadControl, machine: Machine, seconds: float, size: int = 16) -> float:
    """Compute for so long; the share of the batches that the fastest number would have computed in the time."""
    clock, batches = 0.0, 0
    while clock < seconds:
        taken, share = machine(control.count)
        control.observe(size, taken, share * taken)
        clock += taken
        batches += 1
    return batches / (clock / min(machine(n)[0] for n in (1, 2, 3, 4)))


def test_alone_on_the_machine_all_cores_compute_all_the_time() -> None:
    control = ThreadControl(4)
    assert spent(control, quiet, 60) > 0.99


@pytest.mark.parametrize("machine", [crowded, shared])
def test_where_others_compute_the_faster_number_is_found_and_kept(machine: Machine) -> None:
    control = ThreadControl(2)
    spent(control, quiet, 3)
    fastest = min((1, 2), key=lambda n: machine(n)[0])
    clock = 0.0
    while control.count != fastest or clock == 0:
        taken, share = machine(control.count)
        control.observe(16, taken, share * taken)
        clock += taken
        assert clock < 2, "it takes too long to notice"
    best = machine(fastest)[0]
    batches = 0
    clock = 0.0
    while clock < 30:
        taken, share = machine(control.count)
        control.observe(16, taken, share * taken)
        clock, batches = clock + taken, batches + 1
    assert batches * best > 0.9 * clock


def test_all_cores_compute_again_when_the_others_have_gone() -> None:
    control = ThreadControl(4)
    spent(control, crowded, 10)
    assert control.count < 4
    spent(control, quiet, 12)
    assert spent(control, quiet, 30) > 0.95


def test_batches_of_other_sizes_are_not_compared() -> None:
    """A small batch is computed in less time a token or more: neither says which number of threads is faster."""
    control = ThreadControl(2)
    for i in range(400):
        size = 16 if i % 2 else 512
        control.observe(size, 0.09, 0.03)
    assert control.count == 2


def test_a_number_that_the_user_gives_is_kept() -> None:
    control = ThreadControl(3, fixed=True)
    spent(control, crowded, 5)
    assert control.count == 3


def test_the_setting_for_waiting_is_the_users_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    with short_waits():
        assert int(os.environ["GOMP_SPINCOUNT"]) < 100_000
    assert "GOMP_SPINCOUNT" not in os.environ, "programs started later are not concerned"
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    with short_waits():
        assert "GOMP_SPINCOUNT" not in os.environ


def test_two_models_get_the_same_time_though_one_has_longer_batches() -> None:
    lane, end = Lane(), time.monotonic() + 0.6
    spent: dict[float, float] = {}

    def model(batch: float) -> None:
        user, total = lane.enter(), 0.0
        while time.monotonic() < end:
            total += lane.compute(user, lambda: time.sleep(batch) or batch)
        spent[batch] = total
        lane.leave(user)

    models = [threading.Thread(target=model, args=(batch,)) for batch in (0.004, 0.04)]
    for thread in models:
        thread.start()
    for thread in models:
        thread.join()
    assert min(spent.values()) > 0.5 * max(spent.values())


def test_what_fails_on_the_lane_fails_for_whoever_asked() -> None:
    lane = Lane()
    user = lane.enter()
    assert lane.compute(user, threading.get_ident) == threading.get_ident(), "alone, on its own thread"
    lane.enter()
    assert lane.compute(user, threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        lane.compute(user, lambda: 1 // 0)
    assert lane.compute(user, lambda: 3) == 3
