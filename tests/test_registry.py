"""Names, parameters, and what is said of wrong ones."""

from __future__ import annotations

import pytest

from clew.errors import UsageError
from clew.lab.experiment import method_spec
from clew.registry import methods, parse_spec, scorers


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
    ],
)
def test_wrong_names_and_parameters_are_said_with_what_is_right(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        name, params = parse_spec(spec)
        methods[name].check_parameters(params)


@pytest.mark.parametrize("scorer", ["length", "true", "step_verifier?false_positive=0.1&seed=2", "4"])
def test_parameters_given_apart_are_spelled_so_that_they_are_read_back(scorer: str) -> None:
    assert parse_spec(method_spec("beam?width=3", {"scorer": scorer})) == ("beam", {"width": 3, "scorer": scorer})
