"""Toy models that are named by a spec: `toy:uniform`, `toy:markov`, and tables in a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike

from clew.errors import UsageError
from clew.models.toy import Ids, ToyModel
from clew.parameters import Count, Range, Seed, Text
from clew.problem import Message
from clew.registry import model
from clew.sampling import Stream


@model("toy:uniform", family="toy")
def uniform(*, vocab: Text = "ab", length: Count = 3) -> ToyModel:
    """Writes each text of `length` characters of `vocab` with the same probability.

    vocab: the characters.
    length: characters of every text.
    """
    letters = _letters(vocab)
    going, ending = np.array([1.0] * len(letters) + [0.0]), np.array([0.0] * len(letters) + [1.0])

    def source(messages: tuple[Message, ...], ids: Ids, text: str) -> ArrayLike:
        return going if len(ids) < length else ending

    return ToyModel(letters, source, name="toy:uniform")


@model("toy:markov", family="toy")
def markov(*, vocab: Text = "abc", seed: Seed = 0, order: Annotated[int, Range(low=0)] = 1) -> ToyModel:
    """A random Markov chain over the characters of `vocab` that remembers the last `order` tokens.

    Each distribution, the end of the text included, is drawn from a flat Dirichlet distribution by `seed`.

    vocab: the characters.
    order: the number of tokens that the next one depends on.
    """
    letters = _letters(vocab)

    def source(messages: tuple[Message, ...], ids: Ids, text: str) -> ArrayLike:
        state = ids[-order:] if order else ()
        return Stream("markov", seed, state).generator().dirichlet(np.ones(len(letters) + 1))

    return ToyModel(letters, source, name="toy:markov")


@model("toy:table", family="toy")
def table(*, path: Text) -> ToyModel:
    """The distributions in a JSON file: `{"vocab": ["a", "b"], "table": {"": [1, 2, 1], …}, "default": [1, 1, 2]}`.

    path: the file. `table` maps a text to the weights of the tokens and of the end after it; `default` (the end alone
        unless given) holds the weights after every other text.
    """
    shape = 'It needs {"vocab": ["a", …], "table": {"text so far": [weight, …, weight of the end], …}}'
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "Give toy:FILE.json") from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON ({error})", shape) from error
    if not isinstance(content, dict) or not isinstance(content.get("table"), dict):
        raise UsageError(f"{path} holds no table", shape)
    vocab = content.get("vocab")
    if not isinstance(vocab, list) or not all(isinstance(t, str) for t in vocab):
        raise UsageError(f"{path} holds no vocabulary", shape)
    rows = {key: _row(path, key, row, len(vocab) + 1) for key, row in content["table"].items()}
    default = _row(path, "default", content.get("default", [0] * len(vocab) + [1]), len(vocab) + 1)

    def source(messages: tuple[Message, ...], ids: Ids, text: str) -> ArrayLike:
        return rows.get(text, default)

    return ToyModel(vocab, source, name=f"toy:{Path(path).stem}")


def _letters(vocab: str) -> list[str]:
    return list(dict.fromkeys(str(vocab)))


def _row(path: str, key: str, row: list[float], size: int) -> ArrayLike:
    good = isinstance(row, list) and len(row) == size and all(isinstance(w, int | float) and w >= 0 for w in row)
    if not good or not 0 < sum(row) < float("inf"):
        raise UsageError(
            f"{path}: the row {key!r} is not {size} weights", "Give one for each token, and one for the end of the text"
        )
    return np.array(row, np.float64)
