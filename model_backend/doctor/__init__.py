"""Examines a GGUF file: is it sound, how does it write, what fits, how fast is it."""

from agentkit.model_backend.doctor.examine import examine
from agentkit.model_backend.doctor.findings import Finding, Level

__all__ = ["Finding", "Level", "examine"]
