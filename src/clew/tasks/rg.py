"""The tasks `rg:NAME`: families of reasoning-gym (github.com/open-thought/reasoning-gym), graded by its own scores."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from clew.errors import UsageError, how_to_install
from clew.problem import Message, Problem
from clew.sampling import Stream
from clew.tasks.answers import SECONDS, Late, as_exact, as_number, bounded, extract, statements, visible
from clew.tasks.base import MOST_SHOTS, check_count, check_shots

_LONGEST = 8_000  # characters of an answer
_SIZE = 500  # of a data set: some families lay all of it out at once, so it may not depend on small counts
_ASK = "\nWrite the answer between <answer> and </answer>."


def _block(text: str) -> str | None:
    """The last statement with all its lines where it is tagged, else the whole visible text."""
    shown = visible(text)
    if shown is None:
        return None
    for statement, delimited in statements(shown):
        if delimited:
            return statement
    return shown.strip()[:_LONGEST] or None


def _line(text: str) -> str | None:
    return extract(text, "exact")


def _number(text: str) -> str | None:
    return extract(text, "number")


def _reader(answer: str) -> Callable[[str], str | None]:
    """How to read answers of the form of `answer`: one number, one line, or several lines."""
    if as_number(answer) is not None:
        return _number
    return _line if "\n" not in answer.strip() and as_exact(answer) is not None else _block


def families() -> list[str]:
    """The names of all families. Raises UsageError where reasoning-gym is not installed."""
    return sorted(_factory().DATASETS)


def _factory() -> Any:
    try:
        import reasoning_gym.factory as factory
    except ImportError:
        raise UsageError("tasks of the form rg:NAME need reasoning-gym", how_to_install("tasks")) from None
    return factory


@cache
def _evaluates(module: str) -> bool:
    """Whether a family's module evaluates text: reasoning-gym scores some answers through `eval` or `parse_expr`."""
    return bool(re.search(r"\b(?:eval|exec|parse_expr|sympify)\(", inspect.getsource(import_module(module))))


_FUNCTIONS = {"sin", "cos", "tan", "exp", "log", "sqrt", "Abs", "asin", "acos", "atan", "sinh", "cosh", "tanh"}
_NAMES = _FUNCTIONS | {"pi", "True", "False", "None", "true", "false", "null"}
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd)
_PARTS = (ast.Expression, ast.Constant, ast.Name, ast.Call, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Load)
_NODES = (*_PARTS, *_OPERATORS, ast.BinOp, ast.UnaryOp)


def harmless(answer: str) -> bool:
    """Whether evaluating `answer` as Python or SymPy does no more than cheap arithmetic: no names but single letters
    and common functions, no attributes, no big powers, no factorials. Text that is not a Python expression is harmless.
    """
    if len(answer) > 2_000 or "!" in answer or re.search(r"\d{41}|\d[eE]\d{3}", answer):
        return False
    try:
        tree = ast.parse(answer.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return True
    except (RecursionError, MemoryError):
        return False
    powers = 1
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            return False
        if isinstance(node, ast.Name) and not (len(node.id) == 1 or node.id in _NAMES):
            return False
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS):
            return False
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            exponent = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
            value = exponent.value if isinstance(exponent, ast.Constant) else None
            if not isinstance(value, int | float):
                return isinstance(exponent, ast.Name)  # e**x stays symbolic
            powers *= max(1, int(abs(value)))
    return powers <= 1_000


def _score(dataset: Any, answer: str, entry: dict[str, Any]) -> float:
    """The family's own score in [0, 1]; 0 for an answer that its scorer cannot read, or could not read safely."""
    if _evaluates(type(dataset).__module__) and not harmless(answer):
        return 0.0
    try:
        with bounded(SECONDS):
            return min(1.0, max(0.0, float(dataset.score_answer(answer, entry))))
    except Late:
        return 0.0
    except Exception:  # scorers fail in many ways on answers of the wrong form; such an answer is wrong
        return 0.0


@dataclass(frozen=True, slots=True)
class Gym:
    """One family of reasoning-gym as a task. The dial is the level of its curriculum (0 is the easiest).

    name: the name of the task.
    family: the name of the family.
    config: fields of the family's configuration, passed on; the family's defaults hold for the others.
    """

    name: str
    family: str
    config: Mapping[str, Any]

    def problems(
        self, count: int | None, *, seed: int = 0, difficulty: float | None = None, shots: int | None = None
    ) -> list[Problem]:
        """See `Task.problems`. Raises UsageError also for a configuration that the family refuses."""
        wanted = check_count(20 if count is None else count)
        used = check_shots(shots or 0, MOST_SHOTS)
        dataset = self._dataset(Stream("rg", self.family, seed).seed, wanted, difficulty)
        head: list[Message] = []
        if used:
            examples = self._dataset(Stream("rg", self.family, "shots").seed, used, difficulty)
            for i in range(used):
                entry = examples[i]
                head.append(Message("user", entry["question"] + _ASK))
                head.append(Message("assistant", f"<answer>{entry['answer']}</answer>"))
        level = "" if difficulty is None else f"@{difficulty:g}"
        return [
            self._problem(f"{self.name}{level}:{seed}:{i}", dataset, dataset[i], head, difficulty)
            for i in range(wanted)
        ]

    def _dataset(self, seed: int, count: int, difficulty: float | None) -> Any:
        factory = _factory()
        settings = {"seed": seed, "size": max(count, _SIZE), **self.config}
        known = {f.name for f in dataclasses.fields(factory.DATASETS[self.family][1])}
        for name in self.config:
            if name not in known - {"seed", "size"}:
                fields = ", ".join(sorted(known - {"seed", "size"}))
                raise UsageError(f"rg:{self.family} has no option {name!r}", f"It takes: {fields}")
        try:
            if difficulty is None:
                return factory.create_dataset(self.family, **settings)
            return factory.DATASETS[self.family][0](config=self._leveled(factory, settings, difficulty))
        except (AssertionError, AttributeError, TypeError, ValueError) as problem:
            raise UsageError(f"rg:{self.family} refuses this configuration ({problem})", "Change its options") from None

    def _leveled(self, factory: Any, settings: dict[str, Any], difficulty: float) -> Any:
        if not factory.has_curriculum(self.family):
            raise UsageError(f"rg:{self.family} has no levels of difficulty", "Set its options instead")
        curriculum = factory.create_curriculum(self.family)
        most = max(len(a.levels) for a in curriculum.attributes.values()) - 1
        if not 0 <= difficulty <= most or difficulty != int(difficulty):
            raise UsageError(f"rg:{self.family} has no difficulty {difficulty:g}", f"Its levels are 0 to {most}")
        for name, attribute in curriculum.attributes.items():
            curriculum.set_attr_level(name, min(int(difficulty), len(attribute.levels) - 1))
        return dataclasses.replace(curriculum.generate_configuration(), **settings)

    def _problem(
        self, name: str, dataset: Any, entry: dict[str, Any], head: list[Message], difficulty: float | None
    ) -> Problem:
        gold = str(entry["answer"])
        read = _reader(gold)
        reference = read(f"<answer>{gold}</answer>")

        def grade(answer: str) -> float:
            # The family compares characters where it can; a canonical answer that equals the canonical gold is right.
            return 1.0 if answer == reference else _score(dataset, answer, entry)

        return Problem(
            id=name,
            messages=(*head, Message("user", entry["question"] + _ASK)),
            family=self.name,
            difficulty=difficulty,
            grader=grade,
            extract=read,
            reference=reference,
            steps=("\n",),
            max_tokens=512,
            meta={"gold": gold, "metadata": entry.get("metadata", {})},
        )


def told(family: str) -> tuple[str, list[dict[str, str]]]:
    """What a family is, in one line, and the options that it takes, as `clew list` shows them.

    Raises UsageError where there is no such family, or reasoning-gym is not installed.
    """
    _known(family)
    make, config = _factory().DATASETS[family]
    rows = []
    for field in dataclasses.fields(config):
        if field.name in ("seed", "size"):
            continue
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        takes = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
        known = "(must be given)" if default in (dataclasses.MISSING, None) else str(default)
        rows.append({"parameter": field.name, "takes": takes, "default": known, "meaning": ""})
    return (inspect.getdoc(make) or "").split("\n", 1)[0], rows


def _known(family: str) -> None:
    """Raises UsageError where there is no such family, or reasoning-gym is not installed."""
    known = families()
    if family not in known:
        near = difflib.get_close_matches(family, known, n=3)
        hint = (
            f"Did you mean {' or '.join(f'rg:{n}' for n in near)}?" if near else f"There are {len(known)}, {known[0]} …"
        )
        raise UsageError(f"reasoning-gym has no family {family!r}", hint)


def gym(family: str, config: Mapping[str, Any]) -> Gym:
    """The task `rg:FAMILY`. Raises UsageError where there is no such family, or reasoning-gym is not installed."""
    _known(family)
    query = "&".join(f"{k}={v}" for k, v in sorted(config.items()))
    return Gym(f"rg:{family}" + (f"?{query}" if query else ""), family, dict(config))
