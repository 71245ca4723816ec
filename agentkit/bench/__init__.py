"""Benchmarks of models on tool-calling data."""
