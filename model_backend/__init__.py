"""Text and tokens: formats, constraints, the llama.cpp engine, remote models, the catalog."""

from agentkit.model_backend.environment import prepare_environment

# Here, because the constraint library and the tests may load llama.cpp before the engine does.
prepare_environment()
