from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

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
    model = LlamaCppModel(pull("smollm2-135m"), cache_bytes=1)
    yield model
    asyncio.run(model.close())
