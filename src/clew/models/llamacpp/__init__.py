"""The embedded engine on llama.cpp: prefix sharing, continuous batching, exact statistics."""

from clew.models.llamacpp.describe import describe, measure_formats
from clew.models.llamacpp.engine import LlamaCppModel

__all__ = ["LlamaCppModel", "describe", "measure_formats"]
