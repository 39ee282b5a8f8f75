"""The puzzles: every simulator against its reference solver, and both against what is known or can be counted."""

from __future__ import annotations

from itertools import pairwise, permutations, product
from typing import Any

import numpy as np
import pytest
from scipy.sparse.csgraph import shortest_path

from clew.sampling import Stream
from clew.tasks import load_problems
from clew.tasks.puzzles import PUZZLES, Puzzle, PuzzleFamily
from clew.tasks.puzzles.blocksworld import Blocksworld
from clew.tasks.puzzles.colouring import Colouring
from clew.tasks.puzzles.countdown import Countdown
from clew.tasks.puzzles.hanoi import Hanoi
from clew.tasks.puzzles.maze import Maze
from clew.tasks.puzzles.queens import NQueens
from clew.tasks.puzzles.river import River
from clew.tasks.puzzles.sat import Assignments
from clew.tasks.puzzles.sudoku import Sudoku4, Sudoku9, solutions
from clew.tasks.puzzles.zebra import Zebra, holds
from clew.testing import check_task

ALL = pytest.mark.parametrize("family", PUZZLES.values(), ids=list(PUZZLES))


def posed(family: PuzzleFamily, count: int = 6, difficulty: int | None = None) -> list[Puzzle[Any]]:
    problems = load_problems(f"puzzle:{family.name}", count=count, seed=3, difficulty=difficulty)
    puzzles = [family.read(problem.question) for problem in problems]
    return [puzzle for puzzle in puzzles if puzzle is not None]


@ALL
def test_conformance(family: PuzzleFamily) -> None:
    check_task(f"puzzle:{family.name}", count=4, seeds=(0,), difficulties=(None, family.levels[0], family.levels[-1]))


@ALL
def test_a_puzzle_is_read_back_from_its_question_and_by_its_kind_only(family: PuzzleFamily) -> None:
    for puzzle in posed(family, 20):
        again = family.puzzle.read(puzzle.question)
        assert again == puzzle and again.question == puzzle.question
        assert [k.name for k in PUZZLES.values() if k.read(puzzle.question) is not None] == [family.name]


@ALL
def test_the_reference_is_sound_at_every_character(family: PuzzleFamily) -> None:
    for problem in load_problems(f"puzzle:{family.name}", count=4, seed=1):
        check = problem.step_verifier
        solution = problem.meta["solution"]
        assert check is not None
        values = [check(solution[:i]) for i in range(len(solution) + 1)]
        assert all(0.5 <= v <= 1 for v in values)
        ends = [values[i] for i, character in enumerate(solution) if character == "\n"]
        assert ends == sorted(ends) and (not ends or values[0] < ends[0])
        assert values[-1] == 1.0 == check(solution + "\n")
        assert check(solution[: solution.rfind("\n")]) < 1
        assert problem.meta["moves"] <= problem.meta["limit"]


@ALL
def test_choices_are_legal_mistakes_are_not_and_the_solver_agrees_with_the_simulator(family: PuzzleFamily) -> None:
    rng = Stream("walk", family.name).generator()
    mistaken = 0
    for puzzle in posed(family):
        state, text = puzzle.start, ""
        for _ in range(puzzle.limit):
            left, choices = puzzle.remaining(state), puzzle.legal_moves(state)
            if not choices or left == 0:
                break
            results = {move: puzzle.after(state, move) for move in choices}
            assert None not in results.values()
            after = [puzzle.remaining(new) for new in results.values()]
            near = [n for n in after if n is not None]
            assert left == (1 + min(near) if near else None)
            for wrong in puzzle.mistakes(state):
                mistaken += 1
                assert puzzle.moves(wrong) == [wrong] and puzzle.after(state, wrong) is None
                assert puzzle.soundness(text + wrong + "\n") == 0
            move = choices[int(rng.integers(len(choices)))]
            assert puzzle.moves(f"1. {move.upper()}.") == [move]
            state, text = results[move], text + move + "\n"
            left = puzzle.remaining(state)
            reachable = left is not None and text.count("\n") + left <= puzzle.limit
            assert (puzzle.soundness(text) > 0) == reachable
    assert mistaken > 0


def reaches(puzzle: Puzzle[Any], state: Any, goal: Any) -> bool:
    """Whether some sequence of choices ends in a state for which `goal` holds."""
    return bool(goal(state)) or any(reaches(puzzle, puzzle.after(state, m), goal) for m in puzzle.legal_moves(state))


@pytest.mark.parametrize(
    ("kind", "level"), [("sudoku4", 9), ("queens", 6), ("colouring", 8), ("zebra", 3), ("countdown", 4)]
)
def test_out_of_reach_is_what_a_search_over_everything_does_not_reach(kind: str, level: int) -> None:
    rng = Stream("dead ends", kind).generator()
    outcomes = []
    for puzzle in posed(PUZZLES[kind], 12, level):
        state = puzzle.start
        outcomes.append(reaches(puzzle, state, lambda s, p=puzzle: p.remaining(s) == 0))
        assert outcomes[-1]
        while (choices := puzzle.legal_moves(state)) and puzzle.remaining(state) != 0:
            state = puzzle.after(state, choices[int(rng.integers(len(choices)))])
            possible = reaches(puzzle, state, lambda s, p=puzzle: p.remaining(s) == 0)
            outcomes.append(possible)
            assert possible == (puzzle.remaining(state) is not None)
    assert True in outcomes and False in outcomes


def test_sudoku_has_one_solution_and_obeys_the_rules() -> None:
    for puzzle in posed(PUZZLES["sudoku4"], 20):
        assert isinstance(puzzle, Sudoku4)
        (only,) = solutions(puzzle.given)
        assert puzzle.play(puzzle.solution()) == only
    for puzzle in posed(PUZZLES["sudoku9"], 5, 50):
        assert isinstance(puzzle, Sudoku9)
        board = np.array(puzzle.play(puzzle.solution())).reshape(9, 9)
        blocks = board.reshape(3, 3, 3, 3).swapaxes(1, 2).reshape(9, 9)
        for lines in (board, board.T, blocks):
            assert all(sorted(line) == list(range(1, 10)) for line in lines.tolist())
        assert puzzle.given.count(0) == 50


def test_zebra_clues_leave_one_possibility_and_none_can_be_spared() -> None:
    for puzzle in posed(PUZZLES["zebra"], 6, 3):
        assert isinstance(puzzle, Zebra)
        values = puzzle._values

        def fitting(clues: Any, values: list[str] = values) -> list[tuple[int, ...]]:
            orders = list(permutations((1, 2, 3)))
            houses = [a + b + c for a, b, c in product(orders, repeat=3)]
            return [h for h in houses if all(holds(clue, dict(zip(values, h, strict=True))) for clue in clues)]

        (only,) = fitting(puzzle.clues)
        assert puzzle.play(puzzle.solution()) == only
        for clue in puzzle.clues:
            assert len(fitting([c for c in puzzle.clues if c != clue])) > 1


def test_queens_and_colours_obey_the_rules() -> None:
    for puzzle in posed(PUZZLES["queens"]):
        assert isinstance(puzzle, NQueens)
        queens = puzzle.play(puzzle.solution())
        assert queens is not None and set(puzzle.given) <= set(queens)
        for line in (lambda r, c: r, lambda r, c: c, lambda r, c: r + c, lambda r, c: r - c):
            assert len({line(r, c) for r, c in queens}) == puzzle.size
    for puzzle in posed(PUZZLES["colouring"]):
        assert isinstance(puzzle, Colouring)
        colours = puzzle.play(puzzle.solution())
        assert colours is not None and all(colours[a - 1] != colours[b - 1] for a, b in puzzle.edges)


def test_countdown_uses_every_number_and_reaches_the_target() -> None:
    for puzzle in posed(PUZZLES["countdown"], 20):
        assert isinstance(puzzle, Countdown)
        assert puzzle.play(puzzle.solution()) == (puzzle.target,)
    puzzle = Countdown((2, 3, 5), 25)
    assert puzzle.remaining(puzzle.start) == 2
    assert puzzle.verify("2 + 3 = 5; 5 * 5 = 25") == 1.0
    for wrong in ("5 * 5 = 25", "2 + 3 = 5", "2 + 3 = 6; 5 * 5 = 25", "2 + 3 = 5; 5 * 5 = 25; 25 * 1 = 25"):
        assert puzzle.verify(wrong) == 0.0
    assert Countdown((1, 1, 1), 100).remaining((1, 1, 1)) is None


@pytest.mark.parametrize("disks", [1, 2, 3, 6])
def test_the_tower_of_hanoi_takes_two_to_the_n_minus_one_moves(disks: int) -> None:
    puzzle = Hanoi((0,) * disks, (2,) * disks)
    assert len(puzzle.solution()) == 2**disks - 1
    assert puzzle.after(puzzle.start, "disk 2 to b") is None


def test_wolf_goat_and_cabbage_take_seven_crossings() -> None:
    puzzle = River(("cabbage", "goat", "wolf"), (("cabbage", "goat"), ("goat", "wolf")), 1)
    assert len(puzzle.solution()) == 7
    assert puzzle.moves("Cross with wolf, goat and cabbage") == ["cross with cabbage and goat and wolf"]
    assert puzzle.after(puzzle.start, "cross with wolf") is None


def test_sussmans_anomaly_takes_three_moves() -> None:
    puzzle = Blocksworld((("blue",), ("red", "green")), (("green", "blue", "red"),))
    assert puzzle.solution() == ["move green to table", "move blue to green", "move red to blue"]
    assert puzzle.after(puzzle.start, "move red to blue") is None


def test_mazes_take_as_long_as_an_independent_shortest_path() -> None:
    for puzzle in posed(PUZZLES["maze"], 10, 9):
        assert isinstance(puzzle, Maze)
        open_cells = [(r, c) for r, row in enumerate(puzzle.rows) for c, mark in enumerate(row) if mark != "#"]
        links = [[abs(a - c) + abs(b - d) == 1 for c, d in open_cells] for a, b in open_cells]
        lengths = shortest_path(np.array(links, float), unweighted=True)
        goal = next(i for i, (r, c) in enumerate(open_cells) if puzzle.rows[r][c] == "G")
        for i, cell in enumerate(open_cells):
            left = puzzle.remaining(cell)
            assert lengths[i, goal] == (np.inf if left is None else left)


def plan_exists(puzzle: Puzzle[Any], length: int) -> bool:
    """Whether a plan of so many moves exists, as satisfiability: one state at each time, each a move from the last."""
    facts = Assignments()
    layers: list[set[Any]] = [{puzzle.start}]
    for _ in range(length):
        layers.append({puzzle.after(state, move) for state in layers[-1] for move in puzzle.legal_moves(state)})
    for time, (before, later) in enumerate(pairwise(layers)):
        facts.exactly_one([(time, state) for state in before])
        for state in before:
            facts.any_of([(time + 1, puzzle.after(state, move)) for move in puzzle.legal_moves(state)], [(time, state)])
        facts.at_most_one([(time + 1, state) for state in later])
    goals = [(length, state) for state in layers[-1] if puzzle.remaining(state) == 0]
    return any(facts.possible([goal]) for goal in goals)


@pytest.mark.parametrize("name", ["hanoi", "blocksworld", "river", "maze"])
def test_a_satisfiability_solver_finds_no_shorter_plan(name: str) -> None:
    for puzzle in posed(PUZZLES[name], 4):
        fewest = puzzle.remaining(puzzle.start)
        assert fewest is not None and plan_exists(puzzle, fewest)
        assert not any(plan_exists(puzzle, fewer) for fewer in range(1, fewest))


def test_plans_have_little_room_for_detours() -> None:
    puzzle = Hanoi((0, 0), (2, 2))
    assert puzzle.limit == 5
    detour = "disk 1 to c\ndisk 1 to b\n"
    rest = "disk 2 to c\ndisk 1 to c\n"
    assert puzzle.soundness(detour + rest) == 1.0 == puzzle.verify(detour + rest)
    assert puzzle.soundness("disk 1 to b\n" + detour) > 0
    assert puzzle.soundness("disk 1 to b\n" + detour * 2) == 0
    assert puzzle.verify("disk 1 to b\n" + detour + rest) == 1.0
    assert puzzle.verify(detour * 2 + rest) == 0.0


def test_talk_between_moves_is_not_judged_and_thinking_is_not_read() -> None:
    puzzle = Hanoi((0, 0), (2, 2))
    text = "Let us think.\nStep 1: Move disk 1 to peg B\n  disk 2 to c, and then\nso disk 1 to c\nDone!"
    assert puzzle.answer(text) == "disk 1 to b; disk 2 to c; disk 1 to c"
    assert puzzle.soundness(text) == 1.0
    assert puzzle.answer("<think>disk 1 to b") is None and puzzle.answer("no idea") is None
    assert puzzle.answer("<think>disk 2 to b</think>disk 1 to b") == "disk 1 to b"


def test_where_order_does_not_matter_two_orders_are_one_answer() -> None:
    puzzle = posed(PUZZLES["sudoku4"])[0]
    moves = puzzle.solution()
    assert puzzle.answer("\n".join(moves)) == puzzle.answer("\n".join(moves[::-1]))


@ALL
def test_dead_ends_exist_where_they_should(family: PuzzleFamily) -> None:
    """A legal choice can be wrong, or the puzzle would not need a search."""
    wrong = 0
    for puzzle in posed(family, 20):
        state = puzzle.start
        while (good := puzzle.good(state)) and not wrong:
            wrong += len(puzzle.legal_moves(state)) > len(good)
            state = puzzle.after(state, good[0])
    assert wrong
