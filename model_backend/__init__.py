"""Text and tokens: formats, constraints, the llama.cpp engine, remote models, the catalog."""
