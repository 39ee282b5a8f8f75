"""The problem's own checks as scorers."""

from __future__ import annotations

import pytest

from clew.errors import UsageError
from toys import run, search


def test_step_verifier_scores_each_solution_so_far() -> None:
    s = search(step_verifier=lambda text: text.count("a") / max(1, len(text)))

    async def work() -> None:
        from clew.scorers.verifier import step_verifier

        nodes = await s.extend(s.root, 20)
        assert await s.score(nodes, step_verifier()) == [n.solution.count("a") / 4 for n in nodes]
        assert all("step_verifier" in n.scores for n in nodes)

    run(work())


def test_step_verifier_names_what_the_task_lacks() -> None:
    s = search()

    async def work() -> None:
        from clew.scorers.verifier import step_verifier

        await s.score([s.root], step_verifier())

    with pytest.raises(UsageError, match="steps can be checked"):
        run(work())


def test_verifier_judges_the_stated_answer() -> None:
    s = search(
        verifier=lambda answer: float(answer.startswith("a")), extract=lambda text: text.partition("c")[0] or None
    )

    async def work() -> None:
        nodes = await s.extend(s.root, 30)
        scores = await s.score(nodes, "verifier")
        assert scores == [float(n.solution.startswith("a")) for n in nodes]
        assert any(n.solution.startswith("c") for n in nodes) and 1.0 in scores

    run(work())


def test_verifier_names_what_the_task_lacks() -> None:
    s = search()
    with pytest.raises(UsageError, match="can check an answer"):
        run(s.score([s.root], "verifier"))
