"""Messages to tokens and back, for each family of models."""

from agentkit.model_backend.formats.base import Draft, Format, format_for, register

__all__ = ["Draft", "Format", "format_for", "register"]
