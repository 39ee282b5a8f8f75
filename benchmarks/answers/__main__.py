"""Verdicts of clew's grader beside math-verify's, on generated answers whose verdict is known.

python -m benchmarks.answers [--json] [--quick] [--seed 0]

2,000 pairs of a gold answer and a solution that states one (`benchmarks.answers.pairs`): half of the answers are the
gold answer written in another way, half are another answer. Whoever differs from the generator is wrong.

agreement: the share of pairs on which the two give the same verdict. clew_right, math_verify_right: the share of right
    verdicts. disagreements: class → how many, and one of them. A class names the sort of answer, who is wrong, and how.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from benchmarks.answers.pairs import Pair, pairs
from clew.tasks.answers import extract, grade


def by_clew(pair: Pair) -> bool:
    """Whether clew takes the stated answer for the gold one."""
    kind = "choice" if pair.options else "math"
    return grade(extract(pair.text, kind, choices=pair.options), pair.gold, kind, choices=pair.options) == 1.0


def by_math_verify() -> Callable[[Pair], bool]:
    """What math-verify says, with its defaults; letters are read where a letter is asked for."""
    import logging

    from math_verify import ExprExtractionConfig, LatexExtractionConfig, StringExtractionConfig, parse, verify

    logging.getLogger("math_verify").setLevel(logging.ERROR)

    def same(pair: Pair) -> bool:
        reading: list[Any] = [LatexExtractionConfig(), ExprExtractionConfig()]
        if pair.options:
            reading = [StringExtractionConfig(strings=("A", "B", "C", "D", "E"))]
        gold = parse(pair.gold if pair.options else f"${pair.gold}$", reading)
        return bool(verify(gold, parse(pair.text, reading)))

    return same


def label(pair: Pair, clew: bool, other: bool) -> str:
    """The class of a pair that not both judge right."""
    who = "both" if clew == other else "math-verify" if clew == pair.same else "clew"
    return f"{pair.family}: {who} wrong, {'the answer is right' if pair.same else 'the answer is wrong'}"


def measured(count: int, seed: int) -> dict[str, Any]:
    """The figures that the module's first lines name."""
    theirs = by_math_verify()
    agreed = right = right_theirs = both_wrong = 0
    classes: dict[str, dict[str, Any]] = {}
    wrong_together: dict[str, dict[str, Any]] = {}
    for pair in pairs(count, seed):
        one, other = by_clew(pair), theirs(pair)
        agreed += one == other
        right += one == pair.same
        right_theirs += other == pair.same
        both_wrong += one == other != pair.same
        if one == other == pair.same:
            continue
        into = classes if one != other else wrong_together
        seen = into.setdefault(label(pair, one, other), {"count": 0, "gold": pair.gold, "solution": pair.text})
        seen["count"] += 1
    ranked = dict(sorted(classes.items(), key=lambda item: -item[1]["count"]))
    return {
        "pairs": count,
        "agreement": agreed / count,
        "clew_right": right / count,
        "math_verify_right": right_theirs / count,
        "both_wrong": both_wrong,
        "disagreements": ranked,
        "wrong_together": wrong_together,
    }


def main() -> None:
    """Run what the module's first lines say."""
    assert __doc__
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answers", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="400 pairs")
    parser.add_argument("--seed", type=int, default=0, help="of the generator")
    options = parser.parse_args()
    found = measured(400 if options.quick else 2000, options.seed)
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for key in ("pairs", "agreement", "clew_right", "math_verify_right", "both_wrong"):
        print(f"{key:18} {found[key]}")
    for kind in ("disagreements", "wrong_together"):
        for name, seen in found[kind].items():
            print(f"{seen['count']:4}  {name}   gold {seen['gold']!r}   {seen['solution']!r}")


if __name__ == "__main__":
    main()
