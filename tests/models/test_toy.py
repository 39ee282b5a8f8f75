"""The toy model: what it draws is what it says, whatever runs beside it."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

from clew.budget import Budget
from clew.errors import ContextOverflow, UsageError
from clew.ledger import Ledger
from clew.models.base import Context, Model
from clew.models.toy import ToyModel, parse
from clew.models.toy.model import AS_IS
from clew.problem import Message
from clew.sampling import END, GREEDY, Sampling, Stream, Until, tokens
from clew.tree import Finish, Segment
from support.continuations import scored

DRAWS = 50_000
ASKED = (Message("user", "abc?"),)


async def grow(
    model: ToyModel, context: Context, n: int = 1, *, until: Until = END, sampling: Sampling = AS_IS, seed: int = 0
) -> list[Segment]:
    ledger = Ledger(Budget())
    gauges = [ledger.open(model.name, "generate", model.cost, fresh=0, reused=0) for _ in range(n)]
    streams = [Stream("toy", seed, i) for i in range(n)]
    segments = await model.extend(context, until=until, sampling=sampling, streams=streams, gauges=gauges)
    assert [g.generated for g in gauges] == [len(s) for s in segments]
    return segments


def fits(counts: Counter[tuple[int, ...]], chances: dict[tuple[int, ...], float]) -> float:
    """The p-value of a chi-square test; sequences that should be seen fewer than 10 times are counted together."""
    assert set(counts) <= set(chances)
    total = sum(counts.values())
    often = [ids for ids, p in chances.items() if p * total >= 10]
    observed = np.array([counts[ids] for ids in often] + [total - sum(counts[ids] for ids in often)], float)
    expected = np.array([chances[ids] * total for ids in often])
    expected = np.append(expected, total - expected.sum())
    keep = expected > 1e-6
    return float(chisquare(observed[keep], expected[keep] * observed[keep].sum() / expected[keep].sum()).pvalue)


@pytest.mark.parametrize(
    "sampling",
    [
        AS_IS,
        AS_IS.but(temperature=0.5),
        AS_IS.but(temperature=1.7, top_k=2),
        AS_IS.but(temperature=0.8, top_p=0.8),
        AS_IS.but(min_p=0.3, logit_bias={0: -1.0}),
        AS_IS.but(repetition_penalty=1.8, bans={0: frozenset({3}), 2: frozenset({1})}),
    ],
    ids=str,
)
def test_sampled_sequences_follow_the_enumerated_distribution(sampling: Sampling) -> None:
    model = parse("toy:markov?vocab=abc&seed=3")
    context = model.render(ASKED)
    chances = model.enumerate(4, sampling=sampling, context=context)
    assert sum(chances.values()) == pytest.approx(1)
    segments = asyncio.run(grow(model, context, DRAWS, until=Until(limit=4), sampling=sampling))
    counts = Counter(tuple(s.token_ids.tolist()) for s in segments)
    assert fits(counts, chances) > 1e-3
    for segment in segments[:200]:
        assert segment.proposal_logprob is not None
        drawn = math.exp(segment.proposal_logprob.sum(dtype=float))
        assert drawn == pytest.approx(chances[tuple(segment.token_ids.tolist())], rel=1e-5)


def test_the_same_sequences_at_any_concurrency() -> None:
    model = parse("toy:markov?vocab=abcd&seed=1")
    context = model.render(ASKED)

    async def one_by_one() -> list[str]:
        return [(await grow(model, context, seed=i, until=Until(limit=30)))[0].text for i in range(64)]

    async def at_once() -> list[str]:
        work = (grow(model, context, seed=i, until=Until(limit=30)) for i in range(64))
        return [segments[0].text for segments in await asyncio.gather(*work)]

    alone = asyncio.run(one_by_one())
    assert alone == asyncio.run(at_once())
    assert len(set(alone)) > 20


def test_continuations_in_flight_take_turns() -> None:
    model = parse("toy:uniform?length=20")
    context = model.render(ASKED)
    ledger = Ledger(Budget())
    gauges = [ledger.open("toy", "generate", model.cost, fresh=0, reused=0) for _ in range(2)]
    seen: list[tuple[int, int]] = []

    async def extend(i: int) -> None:
        await model.extend(context, until=END, sampling=AS_IS, streams=[Stream(i)], gauges=[gauges[i]])

    async def watch() -> None:
        while any(g.generated < 21 for g in gauges):
            seen.append((gauges[0].generated, gauges[1].generated))
            await asyncio.sleep(0)

    async def run() -> None:
        await asyncio.gather(extend(0), extend(1), watch())

    asyncio.run(run())
    assert all(abs(a - b) <= 1 for a, b in seen) and len(seen) > 15


def test_statistics_and_teacher_forcing_agree() -> None:
    model = parse("toy:markov?vocab=ab&seed=5")
    context = model.render(ASKED)
    (segment,) = asyncio.run(grow(model, context, until=Until(limit=12), sampling=AS_IS.but(temperature=0.5, top=2)))
    forced = scored(model, context, segment.text)
    size = len(forced)
    assert size > 0 and forced.token_ids.tolist() == segment.token_ids.tolist()[:size]
    for name in ("logprob", "entropy", "certainty"):
        assert getattr(forced, name) == pytest.approx(getattr(segment, name)[:size])
    assert segment.top_ids is not None and segment.top_logprob is not None and segment.logprob is not None
    assert segment.top_ids.shape == segment.top_logprob.shape == (len(segment), 2)
    assert (segment.top_logprob[:, 0] >= segment.logprob - 1e-6).all()


def test_a_posterior_is_proportional_to_probability_times_weight() -> None:
    model = parse("toy:uniform?vocab=ab&length=2")
    posterior, constant = model.posterior(lambda text: float(text.count("a")), 3)
    assert constant == pytest.approx(1.0)
    assert {model.text(ids): p for ids, p in posterior.items()} == pytest.approx({"aa": 0.5, "ab": 0.25, "ba": 0.25})
    with pytest.raises(ValueError, match="no continuation"):
        model.posterior(lambda text: 0.0, 3)


def always(model_text: str) -> ToyModel:
    """A model that writes one text."""
    letters = sorted(set(model_text))

    def source(messages: object, ids: tuple[int, ...], text: str) -> list[float]:
        target = letters.index(model_text[len(text)]) if len(text) < len(model_text) else len(letters)
        return [float(i == target) for i in range(len(letters) + 1)]

    return ToyModel(letters, source)


@pytest.mark.parametrize(
    ("until", "text", "finish", "size", "cut"),
    [
        (END, "ab.cd!!ef", Finish.END, 10, 0),
        (Until(delimiters=(".",)), "ab.", Finish.STEP, 3, 0),
        (Until(delimiters=("d!", "zz")), "ab.cd!", Finish.STEP, 6, 0),
        (Until(stop=("!!", "x")), "ab.cd", Finish.STOP, 7, 2),
        (tokens(4), "ab.c", Finish.STEP, 4, 0),
        (Until(limit=4, max_tokens=4), "ab.c", Finish.LENGTH, 4, 0),
        (Until(limit=3, delimiters=(".",)), "ab.", Finish.STEP, 3, 0),
    ],
    ids=str,
)
def test_where_an_extension_ends(until: Until, text: str, finish: Finish, size: int, cut: int) -> None:
    model = always("ab.cd!!ef")
    (segment,) = asyncio.run(grow(model, model.render(ASKED), until=until, sampling=GREEDY))
    assert (segment.text, segment.finish, len(segment), segment.cut) == (text, finish, size, cut)
    assert segment.offsets.tolist() == [min(i, len(text)) for i in range(size)]


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_stop_string_is_met_wherever_extensions_divide_it(cut: int) -> None:
    model = always("ab.cd!!ef")
    context = model.render(ASKED)
    (head,) = asyncio.run(grow(model, context, until=tokens(cut)))
    (rest,) = asyncio.run(grow(model, context.extended([head]), until=Until(stop=("d!!",))))
    assert rest.finish is (Finish.STOP if cut < 7 else Finish.END)
    assert len(head) + len(rest) == (7 if cut < 7 else 10)
    assert head.text + rest.text == ("ab.cd!!ef" if cut == 7 else "ab.cd!!"[: max(cut, 4)])
    assert len(head.text + rest.text) + rest.cut == (9 if cut == 7 else 7)


def test_a_context_is_continued_and_not_overrun() -> None:
    model = always("abcdef")
    context = model.render(ASKED)
    model.context_length = len(context) + 3
    (head,) = asyncio.run(grow(model, context, until=tokens(2)))
    (rest,) = asyncio.run(grow(model, context.extended([head])))
    assert (head.text, rest.text, rest.finish) == ("ab", "c", Finish.LENGTH)
    with pytest.raises(ContextOverflow, match="do not fit"):
        asyncio.run(grow(model, context.extended([head, rest])))


def test_a_dead_end_is_incomplete_and_uncharged() -> None:
    model = always("ab")
    everything = frozenset(range(3))
    (segment,) = asyncio.run(grow(model, model.render(()), sampling=AS_IS.but(bans={1: everything}, top=2)))
    assert (segment.text, segment.finish, len(segment)) == ("a", Finish.LENGTH, 1)
    (segment,) = asyncio.run(grow(model, model.render(()), sampling=AS_IS.but(bans={0: everything}, top=2)))
    assert (segment.text, segment.finish, len(segment)) == ("", Finish.LENGTH, 0)


def test_inserted_text_outside_the_vocabulary_is_kept() -> None:
    model = parse("toy:uniform?vocab=ab")
    segment = model.encode("aXb")
    assert (segment.token_ids.tolist(), segment.text, segment.offsets.tolist()) == ([0, -1, 1], "aXb", [0, 1, 2])
    assert model.count("aXb") == 3


def test_a_table_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"vocab": ["yes", "no"], "table": {"": [3, 1, 0]}}))
    model = parse(f"toy:{path}")
    assert {model.text(ids): p for ids, p in model.enumerate(2).items()} == pytest.approx({"yes": 0.75, "no": 0.25})


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("toy:markow", "Did you mean 'toy:markov'"),
        ("toy:uniform?size=3", "has no parameter 'size'"),
        ("toy:uniform?length=0", "length=0"),
        ("toy:markov?order=-1", "order=-1"),
        ("toy:arithmetic?skill=2", "skill=2"),
        ("toy:/nowhere/t.json", "cannot read"),
        ("toy:uniform?length", "is not a parameter"),
    ],
)
def test_bad_specs_are_one_clear_line(spec: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        parse(spec)
    assert caught.value.cure and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"table": {}}', '{"vocab": ["a"], "table": {"": [1]}}', '{"vocab": [], "table": {}}']
)
def test_bad_tables_are_one_clear_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        parse(f"toy:{path}")
    assert caught.value.cure


@pytest.mark.parametrize("spec", ["toy:uniform?length=50", "toy:markov?vocab=abcdefgh&seed=2", "toy:arithmetic"])
def test_conformance(spec: str) -> None:
    from clew.testing import check_model

    model = parse(spec)
    assert isinstance(model, Model)
    check_model(model)
