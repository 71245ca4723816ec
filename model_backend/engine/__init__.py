"""Tokens to tokens: the only package that imports llama_cpp."""

from agentkit.model_backend.engine.engine import Engine
from agentkit.model_backend.engine.settings import EngineSettings, Outcome, ResolvedSampling
from agentkit.model_backend.engine.vocab import Vocab

__all__ = ["Engine", "EngineSettings", "Outcome", "ResolvedSampling", "Vocab"]
