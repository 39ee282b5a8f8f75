from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from clew.errors import UsageError
from clew.models.llamacpp import LlamaCppModel
from clew.models.pull import pull


@pytest.fixture(scope="session")
def smollm() -> Iterator[LlamaCppModel]:
    model = LlamaCppModel(pull("smollm2-135m"), name="smollm2-135m")
    yield model
    asyncio.run(model.close())


@pytest.fixture
def small() -> Iterator[LlamaCppModel]:
    """The same model with the least memory: a few short sequences at once, and room for some copies."""
    path = pull("smollm2-135m")
    with pytest.raises(UsageError, match="do not hold this model") as refused:
        LlamaCppModel(path, memory=1)
    model = LlamaCppModel(path, memory=str(refused.value.cure).split()[1])
    yield model
    asyncio.run(model.close())
