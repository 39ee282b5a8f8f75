"""Any server that speaks the OpenAI interface: vLLM, SGLang, llama.cpp, Ollama, a vendor."""

from clew.models.openai.address import keyed, parse_address, public
from clew.models.openai.connect import connect
from clew.models.openai.facts import Probe
from clew.models.openai.model import OpenAIModel
from clew.models.openai.probe import probe

__all__ = ["OpenAIModel", "Probe", "connect", "keyed", "parse_address", "probe", "public"]
