"""What holds for all tests: no command writes into the folders of the user who runs them."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`clew solve` keeps its run files here."""
    os.environ["CLEW_STATE"] = str(tmp_path_factory.mktemp("state"))
