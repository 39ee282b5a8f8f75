"""Models over a tiny vocabulary, exact and enumerable: what samplers, searches and judges are tested on."""

from clew.models.toy.model import Ids, Source, ToyModel, parse

__all__ = ["Ids", "Source", "ToyModel", "parse"]
