"""Toy models that follow a script: it weighs each possible next line, and token probabilities follow exactly."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from clew.models.toy import Ids, ToyModel
from clew.parameters import Seed, Share
from clew.problem import Message
from clew.registry import model
from clew.sampling import Stream

Lines = Callable[[str], Mapping[str, float]]
"""The complete lines written so far → possible next line → its weight. A line without a line break ends the text."""
Script = Callable[[str], Lines]
"""The last question of the conversation → the `Lines` of its solution."""

SLIP = 1e-6
"""The probability that a token is drawn from the whole vocabulary, not the script, so that none is impossible."""
CHARACTERS = sorted({*string.ascii_letters, *string.digits, *" \n.,:;#+-*/=()<>?!_|'"})


def scripted(name: str, script: Script, *, words: Sequence[str] = ()) -> ToyModel:
    """A model that follows a script.

    A line that the script does not have (after a slip, or where a method inserted its beginning) is ended at once.

    name: identifies the model.
    script: what it writes.
    words: tokens of the vocabulary besides single characters.
    """
    vocab = [*CHARACTERS, *words]
    index = {token: i for i, token in enumerate(vocab)}
    pieces = re.compile("|".join([*map(re.escape, sorted(words, key=len, reverse=True)), "."]), re.DOTALL)
    end = len(vocab)
    answering = lru_cache(256)(script)

    @lru_cache(4096)
    def next_lines(question: str, lines: str) -> list[tuple[str, float, dict[int, int]]]:
        """For each possible next line: the line, its weight, and character → token."""
        plans = []
        for line, weight in answering(question)(lines).items():
            plan = {match.start(): index[match.group()] for match in pieces.finditer(line)}
            if not line.endswith("\n"):
                plan[len(line)] = end
            plans.append((line, weight, plan))
        return plans or [("", 1.0, {0: end})]

    def source(messages: tuple[Message, ...], ids: Ids, text: str) -> ArrayLike:
        question = next((m.text for m in reversed(messages) if m.role == "user"), "")
        at = text.rfind("\n") + 1
        partial = text[at:]
        weights = np.zeros(end + 1)
        for line, weight, plan in next_lines(question, text[:at]):
            if line.startswith(partial) and len(partial) in plan:
                weights[plan[len(partial)]] += weight
        total = weights.sum()
        if not total > 0:
            weights[index["\n"]] = total = 1.0
        weights *= (1 - SLIP) / total
        weights += SLIP / len(weights)
        return weights

    return ToyModel(vocab, source, name=name)


_SUM = re.compile(r"\d+(?:\s*[-+*×]\s*\d+)+")
_LINE = re.compile(r"(-?\d+) ([-+*]) (-?\d+) = (-?\d+)")


@model("toy:arithmetic", family="toy")
def arithmetic(*, skill: Share = 0.6, seed: Seed = 0) -> ToyModel:
    """Works out sums such as `7 * 8 + 5` step by step, and gets a share `skill` of them right.

    The probability of success on one question is drawn by `seed` from a Beta distribution with mean `skill`. Half of
    the wrong steps make the question's most frequent mistake, the others are spread (and two mistakes may cancel). A
    question without a sum is answered with one of its numbers. A temperature below 1 makes the likely lines likelier.

    skill: the expected share of sums that it gets right.
    """

    def script(question: str) -> Lines:
        sums = _SUM.findall(question)
        if not sums:
            numbers = re.findall(r"\d+", question) or ["0"]
            return lambda lines: {f"#### {n}": 1.0 for n in numbers}
        terms = re.findall(r"\d+|[-+*]", sums[-1].replace("×", "*"))
        rng = Stream("arithmetic", seed, sums[-1]).generator()
        chance = float(rng.beta(3 * skill, 3 * (1 - skill))) if 0 < skill < 1 else float(skill)
        # The answer is right if all steps are, so each step gets a root of the probability.
        chance **= 1 / (len(terms) // 2)
        slips = [int(rng.permutation([-10, -2, -1, 1, 2, 10])[0]) for _ in terms]

        def lines_after(lines: str) -> Mapping[str, float]:
            left = _reduced(terms, lines)
            if len(left) == 1:
                return {f"#### {left[0]}": 1.0}
            a, sign, b = left[_next_sign(left) - 1 : _next_sign(left) + 2]
            right = _apply(int(a), sign, int(b))
            weights = {right: chance}
            for slip in (-20, -11, -10, -9, -2, -1, 1, 2, 9, 10, 11, 20):
                share = 0.5 + 0.5 / 12 if slip == slips[len(left) // 2] else 0.5 / 12
                weights[right + slip] = (1 - chance) * share
            return {f"{a} {sign} {b} = {value}\n": weight for value, weight in weights.items()}

        return lines_after

    return scripted("toy:arithmetic", script)


def _reduced(terms: Sequence[str], lines: str) -> list[str]:
    """The terms that are left of a sum after the steps in `lines`; lines that are not its next step are ignored."""
    left = list(terms)
    for a, sign, b, value in _steps(lines):
        if len(left) > 1:
            i = _next_sign(left)
            if left[i - 1 : i + 2] == [a, sign, b]:
                left[i - 1 : i + 2] = [value]
    return left


def _steps(lines: str) -> Iterator[tuple[str, str, str, str]]:
    for line in lines.splitlines():
        if match := _LINE.fullmatch(line):
            a, sign, b, value = match.groups()
            yield a, sign, b, value


def _next_sign(terms: Sequence[str]) -> int:
    return terms.index("*") if "*" in terms else 1


def _apply(a: int, sign: str, b: int) -> int:
    return a * b if sign == "*" else a + b if sign == "+" else a - b
