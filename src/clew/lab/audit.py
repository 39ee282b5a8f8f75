"""The audit of scorers (`clew audit`): what each scorer gains inside a search, on stored solutions, and what it costs.

The independent samples of stored searches are scored again. From these scores follows, for each problem and every N,
what best-of-N and the weighted vote would have answered with each scorer, beside the plain vote and the best sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clew import registry
from clew.lab.drawn import Drawn
from clew.lab.judging import (
    auroc,
    best_at_k,
    best_tries,
    brier,
    calibration_error,
    comparable,
    detectable,
    p_value,
    q_values,
    rank_correlation,
    resampled_until_pass,
    weighted_at_k,
    without_length,
)
from clew.lab.stats import Interval, clustered, maj_at_k, pass_at_k
from clew.methods.common.solutions import vote_weights
from clew.scorers.base import scale_of

COSTS = (0.5, 1.0, 2.0)
"""What a wrong answer costs, in right ones, where the best number of tries is told."""
PASSES = 0.5
"""The probability at and above which a scorer of probabilities is taken to call a solution right."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over problems with its 95 % interval; value None where no problem has one."""

    value: float | None
    interval: Interval | None = None


@dataclass(slots=True)
class Audited:
    """The findings on one scorer. Estimates are means over problems, with intervals clustered by problem.

    scorer: its spec.
    auroc: the probability that a right solution has the higher score, within problems that have right and wrong ones.
    pooled: the same over the solutions of all problems.
    auroc_without_length: the same for scores from which the effect of length is removed.
    length: Spearman's rank correlation of score and tokens.
    missing: share of the solutions without a score.
    ece, brier: calibration error and Brier score; None for scores that are not probabilities.
    false_positives: share of wrong solutions that it calls right; None as above.
    false_negatives: share of right solutions that it calls wrong; None as above.
    best, weighted: accuracy of best-of-N and of the weighted vote.
    vote: accuracy of the plain vote at equal tokens, which draws more samples for what the scorer costs.
    gain: accuracy of the better one of `best` and `weighted` minus that of `vote`.
    rule: which of the two is the better one.
    p, q: p-value of the gain, and its false discovery rate over all scorers.
    effect: the smallest gain that these problems show with a probability of 80 %.
    problems: number of problems that would show this gain; None for more than a million.
    price: tokens that the scorer spends on a solution.
    limit: accuracy that sampling until it passes a solution tends to; None for scorers that are not probabilities.
    tries: cost of a wrong answer, in right ones → the number of tries after which to abstain (None: never).
    curves: `best` and `weighted` → N → accuracy.
    """

    scorer: str
    auroc: Estimate
    pooled: float | None
    auroc_without_length: Estimate
    length: Estimate
    missing: float
    ece: float | None
    brier: float | None
    false_positives: float | None
    false_negatives: float | None
    best: Estimate
    weighted: Estimate
    vote: Estimate
    gain: Estimate
    rule: str
    p: float
    q: float
    effect: float
    problems: int | None
    price: float
    limit: float | None
    tries: dict[float, int | None]
    curves: dict[str, dict[int, float]]


@dataclass(frozen=True, slots=True)
class Advice:
    """The recommended rule for choosing an answer, selected on one half of the problems and measured on the other.

    rule: `vote`, `best SCORER` or `weighted SCORER`.
    accuracy: of the rule, on the other half.
    vote: accuracy of the plain vote at equal tokens, on the other half.
    """

    rule: str
    accuracy: Estimate
    vote: Estimate


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit, as `audit` returns it.

    run: the run file.
    searches, problems: how many were audited.
    n: number of solutions of each search.
    oracle: accuracy of the best solution of each search.
    random: accuracy of a random solution.
    vote: accuracy of the plain vote of all n.
    scorers: the findings on each scorer.
    advice: the recommended rule; None with fewer than four problems.
    """

    run: Path
    searches: int
    problems: int
    n: int
    oracle: Estimate
    random: Estimate
    vote: Estimate
    scorers: list[Audited]
    advice: Advice | None


def audit(run: Path, drawn: Sequence[Drawn]) -> Audit:
    """Evaluate scorers on these solutions; each problem has the same weight."""
    specs = list(drawn[0].scores)
    n = min(len(d.values) for d in drawn)
    audited = [_audited(spec, drawn, n) for spec in specs]
    for each, q in zip(audited, q_values([each.p for each in audited]), strict=True):
        each.q = q
    by = _by_problem
    return Audit(
        run,
        len(drawn),
        len({d.problem for d in drawn}),
        n,
        _mean(by(drawn, lambda d: pass_at_k(len(d.values), int(d.right.sum()), n))),
        _mean(by(drawn, lambda d: float(d.grades.mean()))),
        _mean(by(drawn, lambda d: maj_at_k(d.values, d.grades.tolist(), n))),
        audited,
        _advice(specs, drawn, n),
    )


def _by_problem(drawn: Sequence[Drawn], value: Callable[[Drawn], float]) -> NDArray[np.float64]:
    """The value of each problem, the mean over its searches; problems where it is not defined are left out."""
    values: dict[str, list[float]] = {}
    for each in drawn:
        values.setdefault(each.problem, []).append(value(each))
    means = [float(np.nanmean(found)) for found in values.values() if not np.isnan(found).all()]
    return np.array(means)


def _mean(values: NDArray[np.float64], lowest: float = 0.0) -> Estimate:
    if not len(values):
        return Estimate(None)
    return Estimate(float(values.mean()), clustered(values[:, None], lowest=lowest)[0])


def _weights(drawn: Drawn, spec: str) -> list[float]:
    return vote_weights(drawn.scores[spec].tolist(), scale_of(spec))


def _best(drawn: Drawn, spec: str, k: int) -> float:
    return best_at_k(drawn.scores[spec], drawn.stated, drawn.grades, k)


def _weighted(drawn: Drawn, spec: str, k: int) -> float:
    return weighted_at_k(drawn.values, drawn.grades, _weights(drawn, spec), k)


def _vote_at_equal_tokens(drawn: Drawn, spec: str, k: int) -> float:
    """The accuracy of a plain vote that costs as much as k solutions with their scores.

    It is interpolated between two whole numbers of solutions. At most all drawn solutions vote, which favours the
    scorer where it is expensive.
    """
    many = min(k * (1 + drawn.price[spec] / max(float(drawn.tokens.mean()), 1.0)), len(drawn.values))
    low = int(many)
    high = min(low + 1, len(drawn.values))
    grades = drawn.grades.tolist()
    at_low = maj_at_k(drawn.values, grades, low)
    return at_low if high == low else at_low + (many - low) * (maj_at_k(drawn.values, grades, high) - at_low)


def affordable(drawn: Sequence[Drawn], spec: str, n: int) -> int:
    """The number of scored solutions that cost as much as n solutions without scores."""
    ratio = float(np.mean([d.price[spec] / max(float(d.tokens.mean()), 1.0) for d in drawn]))
    return max(1, int(n / (1 + ratio)))


def _audited(spec: str, drawn: Sequence[Drawn], n: int) -> Audited:
    by, k = _by_problem, affordable(drawn, spec, n)
    best, weighted = by(drawn, lambda d: _best(d, spec, k)), by(drawn, lambda d: _weighted(d, spec, k))
    vote = by(drawn, lambda d: _vote_at_equal_tokens(d, spec, k))
    rule = "best" if best.mean() >= weighted.mean() else "weighted"
    differences = (best if rule == "best" else weighted) - vote
    scores = np.concatenate([d.scores[spec] for d in drawn])
    right = np.concatenate([d.right for d in drawn])
    sized = detectable(differences)
    probable = scale_of(spec) == "probability"
    passes = comparable(scores) >= PASSES
    passes_wrong = float(passes[~right].mean()) if probable and not right.all() else None
    passes_right = float(passes[right].mean()) if probable and right.any() else None
    limit, tries = None, {}
    if passes_right is not None and passes_wrong is not None and not registry.scorers.resolved(spec)[0].of_set:
        shares = by(drawn, lambda d: float(d.right.mean()))
        limit = float(resampled_until_pass(shares, passes_right, passes_wrong, [np.inf])[0][0])
        tries = {cost: best_tries(shares, passes_right, passes_wrong, cost) for cost in COSTS}
    return Audited(
        scorer=spec,
        auroc=_mean(by(drawn, lambda d: auroc(d.scores[spec], d.right))),
        pooled=_known(auroc(scores, right)),
        auroc_without_length=_mean(by(drawn, lambda d: auroc(without_length(d.scores[spec], d.tokens), d.right))),
        length=_mean(by(drawn, lambda d: rank_correlation(d.scores[spec], d.tokens)), -1.0),
        missing=float(np.isnan(scores).mean()),
        ece=_known(calibration_error(scores, right)) if probable else None,
        brier=_known(brier(scores, right)) if probable else None,
        false_positives=passes_wrong,
        false_negatives=None if passes_right is None else 1.0 - passes_right,
        best=_mean(best),
        weighted=_mean(weighted),
        vote=_mean(vote),
        gain=_mean(differences, -1.0),
        rule=rule,
        p=p_value(differences),
        q=1.0,
        effect=sized.effect,
        problems=sized.problems,
        price=float(np.mean([d.price[spec] for d in drawn])),
        limit=limit,
        tries=tries,
        curves={
            "best": {m: _at(drawn, spec, m, _best) for m in _steps(n)},
            "weighted": {m: _at(drawn, spec, m, _weighted) for m in _steps(n)},
        },
    )


def _at(drawn: Sequence[Drawn], spec: str, k: int, accuracy: Callable[[Drawn, str, int], float]) -> float:
    """The mean over problems of a rule's accuracy with k solutions."""
    return float(_by_problem(drawn, lambda each: accuracy(each, spec, k)).mean())


def _steps(n: int) -> list[int]:
    """The powers of two up to n, and n."""
    return sorted({*(2**i for i in range(n.bit_length()) if 2**i <= n), n})


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _advice(specs: Sequence[str], drawn: Sequence[Drawn], n: int) -> Advice | None:
    """The best rule at the cost of n solutions, selected on every second problem and measured on the others."""
    names = sorted({d.problem for d in drawn})
    chosen_on = [d for d in drawn if names.index(d.problem) % 2 == 0]
    told_on = [d for d in drawn if names.index(d.problem) % 2 == 1]
    if len(names) < 4:
        return None
    rules: dict[str, Callable[[Drawn], float]] = {"vote": lambda d: maj_at_k(d.values, d.grades.tolist(), n)}
    for spec in specs:
        k = affordable(drawn, spec, n)
        rules[f"best {spec}"] = lambda d, spec=spec, k=k: _best(d, spec, k)  # type: ignore[misc]
        rules[f"weighted {spec}"] = lambda d, spec=spec, k=k: _weighted(d, spec, k)  # type: ignore[misc]
    # Among equal rules `max` takes the first, which is the vote: it needs no scorer.
    rule = max(rules, key=lambda name: float(_by_problem(chosen_on, rules[name]).mean()))
    return Advice(rule, _mean(_by_problem(told_on, rules[rule])), _mean(_by_problem(told_on, rules["vote"])))
