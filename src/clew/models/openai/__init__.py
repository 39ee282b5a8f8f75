"""Any server that speaks the OpenAI interface: vLLM, SGLang, llama.cpp, Ollama, a vendor."""

from clew.models.openai.connect import connect
from clew.models.openai.model import OpenAIModel
from clew.models.openai.probe import Probe, probe

__all__ = ["OpenAIModel", "Probe", "connect", "probe"]
