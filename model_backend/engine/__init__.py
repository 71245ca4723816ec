"""Tokens to tokens: the only package that imports llama_cpp."""
