"""The client against a server that fails in every usual way: the right text once, charged once, or one clear error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from clew.budget import Budget
from clew.errors import ContextOverflow, ModelError, UsageError
from clew.ledger import Gauge, Ledger
from clew.models.openai import OpenAIModel, connect, probe
from clew.problem import Message
from clew.sampling import GREEDY, Sampling, Stream, Until
from clew.tree import Finish, Segment
from support.servers import SOLUTION, Scripted, split

QUESTION = (Message("user", "What is six times seven?"),)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def gauges_for(model: OpenAIModel, n: int = 1, ledger: Ledger | None = None) -> list[Gauge]:
    ledger = ledger or Ledger(Budget())
    return [ledger.open(model.name, "generate", model.cost, fresh=1, reused=0) for _ in range(n)]


def extend(
    model: OpenAIModel,
    n: int = 1,
    *,
    after: Sequence[Segment] = (),
    until: Until | None = None,
    gauges: list[Gauge] | None = None,
    sampling: Sampling = GREEDY,
) -> list[Segment]:
    async def go() -> list[Segment]:
        try:
            return await model.extend(
                model.render(QUESTION).extended(after),
                until=until or Until(limit=60),
                sampling=sampling,
                streams=[Stream("faults", i) for i in range(n)],
                gauges=gauges or gauges_for(model, n),
            )
        finally:
            await model.close()

    return asyncio.run(go())


@pytest.mark.parametrize("logprobs", [True, False])
@pytest.mark.parametrize(
    "faults",
    ["500", "429", "reset", "time-out", "broken", "cut short", "malformed", "empty", "error", "500+broken+malformed"],
)
def test_a_failure_that_passes_leaves_the_right_text_charged_once(faults, logprobs):
    with Scripted(logprobs=logprobs) as server:
        model = connect(server.url, timeout=1)
        server.faults += faults.split("+")
        server.bodies.clear()
        (gauge,) = gauges_for(model)
        begin = time.monotonic()
        (segment,) = extend(model, gauges=[gauge])
        assert segment.text == SOLUTION
        assert segment.finish is Finish.END
        # The reported usage holds the end-of-text token, as the embedded engine's count does.
        assert gauge.generated == len(segment) == len(split(SOLUTION)) + 1
        assert len(server.bodies) == len(faults.split("+")) + 1
        assert len({b["seed"] for b in server.bodies}) == 1
        if "429" in faults:
            assert time.monotonic() - begin >= 1, "Retry-After was not honoured"


def test_malformed_and_empty_replies_of_a_server_that_does_not_stream():
    with Scripted(streams=False) as server:
        model = connect(server.url)
        server.faults += ["malformed", "empty", "500"]
        (segment,) = extend(model)
        assert segment.text == SOLUTION


def test_a_failure_that_stays_is_one_clear_error_after_bounded_attempts():
    with Scripted() as server:
        model = connect(server.url, retries=2)
        server.faults += ["500"] * 9
        server.bodies.clear()
        with pytest.raises(ModelError, match=r"failed 3 times in a row.*HTTP 500 \(internal error\)"):
            extend(model)
        assert len(server.bodies) == 3


@pytest.mark.parametrize(("fault", "error"), [("400", ModelError), ("overflow", ContextOverflow)])
def test_what_is_our_fault_is_not_tried_again(fault, error):
    with Scripted() as server:
        model = connect(server.url)
        server.faults.append(fault)
        server.bodies.clear()
        with pytest.raises(error, match="answered 400"):
            extend(model)
        assert len(server.bodies) == 1


def test_a_refused_key_is_named_as_such_and_never_shown():
    with Scripted(key="right") as server, pytest.raises(ModelError, match="--key-env NAME") as caught:
        connect(server.url, api_key="sk-secret-of-mine")
    assert "secret" not in str(caught.value)


def test_no_server_and_no_address_fail_at_once_in_one_line():
    with pytest.raises(ModelError, match="no server at http://127.0.0.1:1/v1") as caught:
        connect("http://127.0.0.1:1/v1")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="not the address of a server"):
        connect("ftp://127.0.0.1")


# --- continuing a partial solution ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("prefill", "how"), [("continues", "continues"), ("echoes", "echoes")])
@pytest.mark.parametrize("streams", [True, False])
def test_a_partial_solution_goes_on_without_being_doubled(prefill, how, streams):
    with Scripted(prefill=prefill, streams=streams) as server:
        model = connect(server.url)
        assert model.probe.prefill == how
        (first,) = extend(model, until=Until(delimiters=("\n\n",), limit=60))
        (second,) = extend(model, after=[first], until=Until(delimiters=("\n\n",), limit=60))
        (third,) = extend(model, after=[first, second], until=Until(delimiters=("\n\n",), limit=60))
        assert [first.finish, second.finish, third.finish] == [Finish.STEP, Finish.STEP, Finish.END]
        assert first.text + second.text + third.text == SOLUTION


def test_raw_completions_of_the_rendered_text_come_before_prefill():
    with Scripted(completions=True, logprobs=True) as server:
        model = connect(server.url)
        assert model.probe.raw == "text"
        (first,) = extend(model, until=Until(delimiters=("\n\n",), limit=60))
        (rest,) = extend(model, after=[first])
        assert first.text + rest.text == SOLUTION
        assert server.bodies[-1]["prompt"].endswith(first.text)


def test_a_server_that_cannot_continue_says_so_instead_of_doubling_text():
    with Scripted(prefill="ignores") as server:
        model = connect(server.url)
        (first,) = extend(model, until=Until(delimiters=("\n\n",), limit=60))
        with pytest.raises(ModelError, match="cannot continue a partial solution"):
            extend(model, after=[first])


# --- where text ends --------------------------------------------------------------------------------------------------


def test_a_stop_string_across_tokens_cuts_the_text_and_keeps_the_tokens():
    with Scripted(logprobs=True) as server:
        (segment,) = extend(connect(server.url), until=Until(stop=("times se",), limit=60))
        assert segment.text == "First, six "
        assert segment.finish is Finish.STOP
        assert split(SOLUTION)[len(segment) - 1] == " seven."
        assert segment.cut == len("times seven.")


def test_a_delimiter_may_begin_in_the_step_before():
    with Scripted(prefill="continues", logprobs=True) as server:
        model = connect(server.url)
        (first,) = extend(model, until=Until(delimiters=(" is",), limit=60))
        assert first.text.endswith("That is")
        (second,) = extend(model, after=[first], until=Until(delimiters=("is 42",), limit=60))
        assert second.text == " 42.", "as on every other model, the end of the last step may begin this one's"


def test_caps_and_limits():
    with Scripted(logprobs=True) as server:
        model = connect(server.url)
        (capped,) = extend(model, until=Until(max_tokens=3, limit=60))
        (limited,) = extend(model, until=Until(max_tokens=3, limit=3))
        assert (capped.finish, limited.finish) == (Finish.STEP, Finish.LENGTH)
        assert len(capped) == len(limited) == 3


@pytest.mark.parametrize("reason", [None, ""])
@pytest.mark.parametrize("streams", [True, False])
def test_a_missing_reason_is_no_end_of_text(reason, streams):
    with Scripted(reason=reason, streams=streams) as server:
        (segment,) = extend(connect(server.url))
        assert segment.text == SOLUTION
        assert segment.finish is Finish.LENGTH


def test_reasoning_that_comes_apart_belongs_to_the_solution():
    with Scripted(reasoning="Let me see.") as server:
        (segment,) = extend(connect(server.url))
        assert segment.text == "<think>Let me see.</think>" + SOLUTION


# --- several at once --------------------------------------------------------------------------------------------------


def test_n_is_refused_so_every_sample_has_its_own_request_and_seed():
    with Scripted(many=False) as server:
        model = connect(server.url)
        assert not model.probe.many
        server.bodies.clear()
        segments = extend(model, 4)
        assert [s.text for s in segments] == [SOLUTION] * 4
        assert len({b["seed"] for b in server.bodies}) == 4


def test_n_in_one_request_only_where_seeds_are_of_no_use():
    with Scripted(many=True, seeds=True) as server:
        model = connect(server.url)
        assert model.probe.seeds
        server.bodies.clear()
        extend(model, 4)
        assert len(server.bodies) == 4
    with Scripted(many=True, seeds=False) as server:
        model = connect(server.url)
        assert not model.probe.seeds
        server.bodies.clear()
        gauges = gauges_for(model, 4)
        segments = extend(model, 4, gauges=gauges)
        assert [s.text for s in segments] == [SOLUTION] * 4
        assert [g.generated for g in gauges] == [len(s) for s in segments]
        assert len(server.bodies) == 1


def test_a_budget_is_obeyed_by_all_that_is_in_flight():
    with Scripted(logprobs=True, delay=0.01) as server:
        model = connect(server.url)
        ledger = Ledger(Budget(tokens=20))
        segments = extend(model, 6, gauges=gauges_for(model, 6, ledger))
        generated = sum(len(s) for s in segments)
        assert ledger.usage.total.generated == generated
        assert ledger.tokens <= 20 + 6, "more than one token each beyond the budget"
        assert all(s.finish is Finish.CANCELLED for s in segments)
        assert all(SOLUTION.startswith(s.text) for s in segments)


def test_a_server_that_does_not_stream_keeps_a_token_budget_too():
    with Scripted(streams=False) as server:
        model = connect(server.url)
        ledger = Ledger(Budget(tokens=20))
        segments = extend(model, 3, gauges=gauges_for(model, 3, ledger))
        assert ledger.tokens <= 21
        assert Finish.CANCELLED in {s.finish for s in segments}


def test_time_that_is_spent_ends_a_reply_with_what_there_was():
    with Scripted(delay=0.1) as server:
        model = connect(server.url)
        ledger = Ledger(Budget(seconds=0.35))
        (segment,) = extend(model, gauges=gauges_for(model, 1, ledger))
        assert segment.finish is Finish.CANCELLED
        assert 0 < len(segment) < len(split(SOLUTION))


def test_giving_up_keeps_and_charges_what_had_arrived_and_stops_the_server():
    async def go(server: Scripted, model: OpenAIModel) -> tuple[Segment, Gauge]:
        (gauge,) = gauges_for(model)
        work = asyncio.ensure_future(
            model.extend(
                model.render(QUESTION),
                until=Until(limit=60),
                sampling=GREEDY,
                streams=[Stream("x")],
                gauges=[gauge],
            )
        )
        while gauge.generated < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        gauge.close()
        (segment,) = await work
        for _ in range(200):
            if server.dropped:
                break
            await asyncio.sleep(0.01)
        await model.close()
        return segment, gauge

    with Scripted(delay=0.05) as server:
        segment, gauge = asyncio.run(go(server, connect(server.url)))
        assert segment.finish is Finish.CANCELLED
        assert SOLUTION.startswith(segment.text) and segment.text
        assert gauge.generated == len(segment) < len(split(SOLUTION))
        assert server.dropped == 1


def test_cancelling_never_leaks_a_place_in_the_queue():
    async def go(server: Scripted, model: OpenAIModel) -> list[Segment]:
        def one(i: int) -> asyncio.Future[list[Segment]]:
            return asyncio.ensure_future(
                model.extend(
                    model.render(QUESTION),
                    until=Until(limit=60),
                    sampling=GREEDY,
                    streams=[Stream(i)],
                    gauges=gauges_for(model),
                )
            )

        for _ in range(5):
            work = [one(i) for i in range(40)]
            await asyncio.sleep(0.03)
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            assert all(task.cancelled() for task in work)
        done = await asyncio.wait_for(asyncio.gather(*(one(i) for i in range(8))), 20)
        await model.close()
        return [s for group in done for s in group]

    with Scripted(delay=0.01) as server:
        segments = asyncio.run(go(server, connect(server.url, concurrency=4)))
        assert [s.text for s in segments] == [SOLUTION] * 8
        assert server.busiest <= 4


def test_one_model_serves_several_event_loops():
    with Scripted() as server:
        model = connect(server.url)
        for _ in range(2):
            (segment,) = asyncio.run(
                model.extend(
                    model.render(QUESTION),
                    until=Until(limit=60),
                    sampling=GREEDY,
                    streams=[Stream("loop")],
                    gauges=gauges_for(model),
                )
            )
            assert segment.text == SOLUTION


# --- the probe --------------------------------------------------------------------------------------------------------


def test_a_probe_is_kept_until_asked_afresh():
    with Scripted(prefill="echoes", many=True, logprobs=True, completions=True) as server:
        found = probe(server.url)
        asked = len(server.bodies)
        assert 5 < asked < 30
        assert probe(server.url) == found
        assert len(server.bodies) == asked
        probe(server.url, fresh=True)
        assert len(server.bodies) == 2 * asked
    assert (found.prefill, found.many, found.logprobs, found.top_logprobs) == ("echoes", True, True, 5)
    assert (found.streams, found.seeds, found.forces, found.raw, found.usage) == (True, True, True, "text", "exact")
    assert all(isinstance(cell, str) for row in found.rows() for cell in row)


def test_what_a_server_does_not_take_is_refused_with_a_cure():
    with Scripted(many=False) as server:
        model = connect(server.url)
        with pytest.raises(UsageError, match="ban tokens"):
            extend(model, sampling=Sampling(bans={0: frozenset({1})}))


def test_teacher_forcing_where_the_server_echoes():
    async def go(model: OpenAIModel) -> Segment:
        (gauge,) = gauges_for(model)
        (scored,) = await model.score([model.render(QUESTION)], [model.encode(" It is 42.")], gauges=[gauge])
        await model.close()
        return scored

    with Scripted(completions=True, logprobs=True) as server:
        segment = asyncio.run(go(connect(server.url)))
        assert segment.text == " It is 42."
        assert segment.logprob is not None
        assert segment.logprob.tolist() == pytest.approx([-0.1 * len(t) for t in split(" It is 42.")])
    with Scripted() as server, pytest.raises(UsageError, match="cannot score"):
        asyncio.run(go(connect(server.url)))
