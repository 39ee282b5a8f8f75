"""The embedded engine on llama.cpp: prefix sharing, continuous batching, exact statistics."""

from clew.models.llamacpp.engine import LlamaCppModel, describe

__all__ = ["LlamaCppModel", "describe"]
