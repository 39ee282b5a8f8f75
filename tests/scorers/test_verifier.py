"""The problem's own checks as scorers."""

from __future__ import annotations

import pytest

from clew.errors import UsageError
from clew.testing.toys import letters, run, search
from support.segments import add


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


def test_the_step_verifier_errs_at_the_chosen_rates_and_always_in_the_same_way() -> None:
    s = search(letters({"a": 0.5, "b": 0.5}, length=12), step_verifier=lambda text: 0.75 if text[:1] == "a" else 0.0)
    nodes = run(s.extend(s.root, 400))
    spec = "step_verifier?false_positive=0.2&false_negative=0.4"
    scores = run(s.score(nodes, spec))
    assert scores == run(s.score(nodes[::-1], spec))[::-1] and spec in nodes[0].scores
    sound = [x for n, x in zip(nodes, scores, strict=True) if n.solution[0] == "a"]
    unsound = [x for n, x in zip(nodes, scores, strict=True) if n.solution[0] == "b"]
    assert set(sound) == {0.0, 0.75} and sound.count(0.0) / len(sound) == pytest.approx(0.4, abs=0.1)
    assert unsound.count(0.0) / len(unsound) == pytest.approx(0.8, abs=0.1)
    assert scores != run(s.score(nodes, spec + "&seed=1"))
    with pytest.raises(UsageError, match="false_positive=2"):
        run(s.score(nodes, "step_verifier?false_positive=2"))


def test_an_unsound_solution_that_is_let_through_scores_as_its_last_sound_part() -> None:
    s = search(step_verifier=lambda text: 0.0 if "!" in text else 0.5 + len(text) / 100)
    first = add(s, ["abc"])
    wrong = add(s, ["!"], parent=first)
    later = add(s, ["d"], parent=wrong)
    assert run(s.score([later, wrong], "step_verifier?false_positive=1")) == pytest.approx([0.53, 0.53])
