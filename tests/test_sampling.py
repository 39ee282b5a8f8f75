"""Random streams and sampling settings."""

from __future__ import annotations

import numpy as np
import pytest

from clew.errors import UsageError
from clew.sampling import Sampling, Stream, Until


def test_a_stream_is_named_by_its_path_and_nothing_else() -> None:
    a = Stream(0, "problem").child(3)
    Stream(0, "problem").child(1).uniforms(0, 100)
    assert a.key == Stream(0, "problem").child(3).key
    assert len({Stream(0, "p").child(i).key for i in range(1000)}) == 1000
    assert Stream(0, "problem").key != Stream(1, "problem").key


def test_uniforms_in_blocks_are_the_uniforms_in_one_piece() -> None:
    stream = Stream("blocks")
    whole = stream.uniforms(0, 64)
    parts = np.concatenate([stream.uniforms(s, 16) for s in range(0, 64, 16)])
    assert (whole == parts).all()
    assert whole.min() >= 0 and whole.max() < 1


@pytest.mark.parametrize(
    "bad", [{"temperature": -1}, {"top_p": 0}, {"min_p": 1}, {"repetition_penalty": 0}, {"top_k": -1}]
)
def test_impossible_settings_are_refused_with_their_range(bad: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(bad))}=.*It must be"):
        Sampling(**bad)  # type: ignore[arg-type]


def test_the_tighter_cap_counts() -> None:
    assert Until(max_tokens=5, limit=3).cap == 3
    assert Until().cap is None
