"""A scripted player for each family of puzzles: a toy model that proposes good moves with a known skill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clew.models.toy import ToyModel
from clew.models.toy.script import Lines, scripted
from clew.parameters import Share
from clew.registry import model
from clew.tasks.puzzles import PUZZLES, Puzzle, PuzzleFamily


def player(family: PuzzleFamily, *, skill: Share = 0.5, illegal: Share = 0.3) -> ToyModel:
    """A model that plays puzzles of one family from their questions.

    With probability `skill` it makes a move that leads nearer to the goal. Otherwise it makes an illegal move with
    probability `illegal`, or else a legal move that leads no nearer. Where one of the three kinds of move does not
    exist, its probability goes to the other two. The player does not notice its illegal moves: it plays on as if they
    had not been made. It ends at the goal, after as many moves as the puzzle allows, or where no move is legal.

    family: the puzzles that it reads.
    skill: the probability of a move that leads nearer to the goal.
    illegal: the probability of an illegal move, given that the move does not lead nearer.
    """

    def script(question: str) -> Lines:
        puzzle = family.read(question)
        if puzzle is None:
            return lambda lines: {"I can only play.": 1.0}
        return lambda lines: _weights(puzzle, lines, skill, illegal)

    return scripted(f"toy:{family.name}", script, words=family.puzzle.words)


def _weights(puzzle: Puzzle[Any], lines: str, skill: float, illegal: float) -> Mapping[str, float]:
    state, made = puzzle.start, puzzle.moves(lines)
    for move in made:
        new = puzzle.after(state, move)
        state = state if new is None else new
    choices = puzzle.legal_moves(state)
    if not choices or len(made) >= puzzle.limit or puzzle.remaining(state) == 0:
        return {"": 1.0}
    good = puzzle.good(state)
    other = [move for move in choices if move not in good]
    wrong = puzzle.mistakes(state)
    shares = [(good, skill), (other, (1 - skill) * (1 - illegal)), (wrong, (1 - skill) * illegal)]
    if not any(share for moves, share in shares if moves):
        shares = [([*choices, *wrong], 1.0)]
    return {f"{move}\n": share / len(moves) for moves, share in shares for move in moves if share}


def _register(family: PuzzleFamily) -> Callable[..., ToyModel]:
    def make(*, skill: Share = 0.5, illegal: Share = 0.3) -> ToyModel:
        return player(family, skill=skill, illegal=illegal)

    make.__doc__ = f"""Plays puzzle:{family.name}: a good move with probability `skill`, else a bad or an illegal one.

    skill: the probability of a move that leads nearer to the goal.
    illegal: the probability of an illegal move, given that the move does not lead nearer.
    """
    return model(f"toy:{family.name}", family="toy")(make)


for _family in PUZZLES.values():
    _register(_family)
