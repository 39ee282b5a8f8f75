"""Toy models: small vocabularies and exact, enumerable distributions, on which samplers and searches are tested."""

from clew.models.toy.drawing import Ids
from clew.models.toy.model import Source, ToyModel, parse

__all__ = ["Ids", "Source", "ToyModel", "parse"]
