"""Whether search makes sense: tree searches against best-of-N with the same scorer, at equal tokens, on puzzles.

python -m benchmarks.sense [--json] [--quick] [--puzzles queens,hanoi] [--scorers perfect] [--methods beam,mcts] …

Scripted players with a known skill write the steps. They are judged by a perfect step verifier, by a noisy one (20 % of
the sound solutions look wrong, 20 % of the wrong ones look sound) and by one that draws lots. Each search runs once, to
the largest budget; what it had answered within the smaller ones is read from its proposals (best-of-N's from all orders
of its samples). Differences to best-of-N are paired by problem, with 95 % intervals (`clew.lab.compare`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from clew.budget import Budget
from clew.lab.compare import summarise
from clew.lab.comparison import Comparison, Row
from clew.models import load
from clew.registry import scorer
from clew.result import Result
from clew.runner import Trial, run_trial
from clew.scorers.verifier import step_verifier
from clew.search import Scorer
from clew.tasks import load_problems

BASELINE = "best_of_n"
METHODS = (
    "beam?width=2&expand=4",
    "rebase?n=8",
    "a_star",
    "a_star?threshold=0&good=1",
    "dfs?threshold=0&good=1",
    "mcts",
    "mcts?parallel=1",
    "particle_filter?potential=score",
)
SCORERS = {"perfect": "step_verifier", "noisy": "noisy_step_verifier", "useless": "random"}
REPORTED = ("queens", "countdown", "hanoi", "sudoku4")


@scorer("noisy_step_verifier", family="testing", scale="probability")
def noisy_step_verifier(*, rate: float = 0.2) -> Scorer:
    """`step_verifier` that errs as often on sound solutions as on others."""
    erring: Scorer = step_verifier(false_positive=rate, false_negative=rate)
    return erring


@dataclass(frozen=True, slots=True)
class Setting:
    """A player's skill, and the budgets in generated tokens: about 5, 10 and 20 whole solutions."""

    skill: float
    budgets: tuple[int, ...]
    difficulty: int | None = None


SETTINGS = {
    "queens": Setting(0.3, (150, 300, 600)),
    "countdown": Setting(0.3, (250, 500, 1000)),
    "hanoi": Setting(0.4, (250, 500, 1000), difficulty=3),
    "sudoku4": Setting(0.4, (400, 800, 1600)),
    "blocksworld": Setting(0.4, (250, 500, 1000)),
    "maze": Setting(0.4, (300, 600, 1200)),
}


async def searched(puzzle: str, methods: list[str], count: int, seed: int) -> list[Result]:
    """Every method on every problem, up to the largest budget beyond the prompt."""
    setting = SETTINGS[puzzle]
    model = load(f"toy:{puzzle}?skill={setting.skill}")
    problems = load_problems(f"puzzle:{puzzle}", count=count, seed=seed, difficulty=setting.difficulty)
    return [
        await run_trial(
            Trial(problem, method, seed),
            {"generate": model},
            Budget(tokens=len(model.render(problem.messages)) + max(setting.budgets)),
        )
        for problem in problems
        for method in methods
    ]


def compared(puzzle: str, scorer: str, methods: list[str], count: int, seed: int) -> Comparison:
    """The methods, all with one scorer, on one puzzle."""
    given = [f"{m}{'&' if '?' in m else '?'}scorer={SCORERS[scorer]}" for m in (BASELINE, *methods)]
    results = asyncio.run(searched(puzzle, given, count, seed))
    return summarise(results, axis="generated", budgets=SETTINGS[puzzle].budgets, baseline=given[0])


def shown(row: Row) -> str:
    """A row's accuracy and its difference to the baseline, in percent."""
    accuracy = f"{100 * (row.accuracy or 0.0):.0f}"
    if row.difference is None or row.difference_interval is None:
        return accuracy
    low, high = row.difference_interval
    return f"{accuracy} ({100 * row.difference:+.0f}, {100 * low:+.0f} to {100 * high:+.0f})"


def table(comparison: Comparison) -> str:
    """The comparison in Markdown: accuracy at each budget, the difference with its interval, tokens spent in all."""
    heads = [f"{b:g} tokens" for b in comparison.budgets]
    lines = [f"| | {' | '.join(heads)} | spent |", "|---|" + "---|" * (len(heads) + 1)]
    for name in comparison.names:
        rows = comparison.of(name)
        spec = name.rpartition("scorer=")[0].rstrip("?&")
        lines.append(f"| `{spec}` | {' | '.join(map(shown, rows))} | {rows[-1].used['generated']:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--quick", action="store_true", help="one puzzle, 20 problems")
    parser.add_argument("--puzzles", default=",".join(REPORTED), help=f"of {', '.join(SETTINGS)}")
    parser.add_argument("--scorers", default=",".join(SCORERS))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--count", type=int, default=120, help="problems of each puzzle")
    parser.add_argument("--seed", type=int, default=100, help="of the problems and the searches")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.puzzles, chosen.count = "queens", 20
    found: dict[str, dict[str, Any]] = {}
    for puzzle in chosen.puzzles.split(","):
        for name in chosen.scorers.split(","):
            begun = time.process_time()
            comparison = compared(puzzle, name, chosen.methods.split(","), chosen.count, chosen.seed)
            found.setdefault(puzzle, {})[name] = comparison.as_dict()
            if not chosen.json:
                seconds = time.process_time() - begun
                print(
                    f"{puzzle}, {name} verifier: {comparison.problems} problems, seed {chosen.seed}, {seconds:.0f} s\n"
                )
                print(f"{table(comparison)}\n", flush=True)
    if chosen.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
