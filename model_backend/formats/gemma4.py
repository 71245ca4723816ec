"""Gemma 4 and FunctionGemma in their own format: the prompt, and the script of a turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from agentkit.model_backend.base import TurnRequest
from agentkit.model_backend.formats.base import Draft, Vocab, register
from agentkit.model_backend.formats.gemma4_render import render
from agentkit.model_backend.formats.gemma4_tokens import FUNCTION_GEMMA, GEMMA4, Alphabet, TokenTable
from agentkit.model_backend.formats.gemma4_turn import turn_script
from agentkit.model_backend.script import Script

__all__ = ["Gemma4Format", "Generation", "is_small", "template_generation"]

Generation: TypeAlias = Literal["none", "launch", "april", "july", "interleaved"]


def template_generation(metadata: Mapping[str, str]) -> Generation:
    """Returns which publication of Gemma 4's chat template the file carries."""
    template = metadata.get("tokenizer.chat_template", "")
    if not template:
        return "none"
    if "preserve_thinking" in template or "prev_non_tool_role" in template:
        return "july"
    if "OpenAI Chat Completions:" in template:
        return "april"
    return "interleaved" if "reasoning" in template else "launch"


def is_small(metadata: Mapping[str, str]) -> bool:
    """Returns whether the file is E2B or E4B: they have per-layer embeddings.

    It decides how thinking is turned off: the empty channel that the large models need breaks the small ones.
    """
    per_layer = metadata.get("gemma4.embedding_length_per_layer_input")
    if per_layer is not None:
        return per_layer != "0"
    return metadata.get("general.size_label", "").upper().startswith("E")


class Gemma4Format:
    """Writes and reads the format of one model.

    Raises:
        agentkit.errors.ModelUnavailable: The vocabulary lacks a control token.
    """

    def __init__(self, vocab: Vocab, table: TokenTable = GEMMA4) -> None:
        self.name = table.name
        self.thinks = table.thinks
        self.alphabet = Alphabet(vocab, table)
        self._small = is_small(vocab.metadata)

    def prompt(self, request: TurnRequest) -> list[int]:
        """Returns the prompt's tokens."""
        return render(self.alphabet, request.messages, request.tools, thinking=request.thinking > 0)

    def script(self, request: TurnRequest) -> Script[Draft]:
        """Returns the script of the turn."""
        return turn_script(self.alphabet, request, small=self._small)


@register(lambda metadata: metadata.get("general.architecture") == "gemma4")
def _gemma4(vocab: Vocab) -> Gemma4Format:
    return Gemma4Format(vocab)


@register(lambda metadata: "<start_function_call>" in metadata.get("tokenizer.chat_template", ""))
def _function_gemma(vocab: Vocab) -> Gemma4Format:
    return Gemma4Format(vocab, FUNCTION_GEMMA)
