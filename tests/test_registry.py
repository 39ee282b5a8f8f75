"""Names, parameters, and what is said of wrong ones."""

from __future__ import annotations

import pytest

from clew.errors import UsageError
from clew.lab.experiment import method_spec
from clew.registry import methods, models, parse_spec, scorers, spelled, split_outside, tasks


def test_a_spec_is_a_name_and_typed_parameters() -> None:
    assert parse_spec("rpc") == ("rpc", {})
    assert parse_spec('beam?width=4&expand=[2,1]&scorer=length&x="4"&flag=true') == (
        "beam",
        {"width": 4, "expand": [2, 1], "scorer": "length", "x": "4", "flag": True},
    )


def test_a_parameter_may_have_parameters_of_its_own() -> None:
    spec = "beam?scorer=(step_verifier?false_positive=0.1&false_negative=0.2)&width=3"
    name, params = parse_spec(spec)
    assert (name, params) == ("beam", {"scorer": "step_verifier?false_positive=0.1&false_negative=0.2", "width": 3})
    assert scorers.build(params["scorer"]).name.startswith("step_verifier")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("gredy", "Did you mean 'greedy'"),
        ("greedy?n=1", "greedy has no parameter 'n'"),
        ("rpc?n", "is not a parameter"),
        ("sample?temperature=hot", "cannot take temperature=hot. temperature is a number, at least 0"),
        ("beam?width=abc", "cannot take width=abc. width is a whole number, at least 1"),
        ("beam?width=[2,0]", "cannot take width"),
        ("best_of_n?n=-3", "cannot take n=-3. n is a whole number, at least 1"),
        ("particle_filter?ess=1.5", "ess is a number, from 0 to 1"),
        ("beam?final=sum", "cannot take final=sum. final is best or vote"),
        ("beam?scorer=lenght", "no scorer is called 'lenght'. Did you mean 'length'"),
        ("beam?scorer=(length?prefer=tall)", "length cannot take prefer=tall. prefer is short or long"),
        ("mcts?simulations=2.5", "simulations is a whole number, at least 1 \\(or left out\\)"),
        ("guarded?guard=yaml", "cannot take guard=yaml"),
        ("backspace?marker=", "cannot take marker="),
        ("self_refine?history=maybe", "history is true or false"),
    ],
)
def test_wrong_names_and_parameters_are_said_with_what_is_right(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        methods.resolved(spec)


@pytest.mark.parametrize(
    "value", ["length", "true", "step_verifier?false_positive=0.1&seed=2", "4", 4, 0.5, [1, 2], None]
)
def test_values_are_spelled_so_that_they_are_read_back(value: object) -> None:
    assert parse_spec(f"x?a=1&v={spelled(value)}&z=2") == ("x", {"a": 1, "v": value, "z": 2})


def test_parameters_given_apart_join_those_of_the_spec() -> None:
    assert method_spec("beam?width=3", {"scorer": "length?prefer=long"}) == "beam?width=3&scorer=(length?prefer=long)"


def test_a_scorer_is_recorded_under_the_shortest_spec_that_says_the_same() -> None:
    for spec in (
        "length",
        "group_confidence?window=32&top=2",
        "step_verifier?false_positive=0.1&seed=3",
        "random?seed=2",
    ):
        assert scorers.build(spec).name == scorers.spelled(spec) == spec
    assert (
        scorers.spelled("step_verifier?seed=0&false_negative=0&false_positive=0.2")
        == "step_verifier?false_positive=0.2"
    )


def test_every_parameter_says_what_it_means() -> None:
    for registry in (methods, scorers, tasks, models):
        for entry in registry:
            for parameter in entry.parameters.values():
                assert parameter.meaning, f"{entry.name} does not say what {parameter.name} means"
                assert parameter.wants


def test_a_family_is_the_folder_of_its_methods() -> None:
    for entry in methods:
        if entry.make.__module__.startswith("clew.methods."):
            assert entry.make.__module__.split(".")[2] == entry.family, entry.name


def test_specs_within_specs_are_divided_outside_brackets_only() -> None:
    inner = "(weighted?of=(mix?a=1&b=2)&w=[1,2])"
    assert split_outside(f"beam?scorer={inner}&width=3,greedy", ",") == [f"beam?scorer={inner}&width=3", "greedy"]
    name, given = parse_spec(f"beam?low=1&scorer={inner}&width=3")
    assert (name, given) == ("beam", {"low": 1, "scorer": inner[1:-1], "width": 3})
    assert parse_spec(given["scorer"])[1] == {"of": "mix?a=1&b=2", "w": [1, 2]}


def test_the_short_name_of_a_puzzle_leads_to_its_whole_name() -> None:
    with pytest.raises(UsageError, match="no task is called 'hanoi'. Did you mean 'puzzle:hanoi'"):
        tasks["hanoi"]
