"""The generic format: whatever the chat template in the file says, and JSON calls in the style it teaches."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from agentkit.messages import Assistant, JsonObject, Message, System, ToolCall, ToolResult, User
from agentkit.model_backend.base import ToolSpec, TurnRequest
from agentkit.model_backend.formats.base import Draft, Vocab, register
from agentkit.model_backend.formats.call_style import (
    HERMES,
    MISTRAL,
    PROBE_CALLS,
    PROBE_NAME,
    CallStyle,
    style_from_rendering,
)
from agentkit.model_backend.formats.conversation import (
    declaration,
    fold_system,
    results_as_user,
    template_messages,
    tools_as_system,
    with_system,
)
from agentkit.model_backend.formats.template import ChatTemplate, TemplateRefused
from agentkit.model_backend.formats.turn_script import turn_script
from agentkit.model_backend.formats.untrusted import StandIns
from agentkit.model_backend.script import Script

__all__ = ["PLAIN_TEMPLATE", "ChatTemplateFormat"]

PLAIN_TEMPLATE = """\
{%- for message in messages %}
### {{ message.role | capitalize }}:
{{ message.content }}
{% endfor %}
{%- if add_generation_prompt %}
### Assistant:
{% endif %}"""
"""The prompt of a file without a template. Such files are mostly base models: they continue text, so the turn's
name stands on a line of its own, calls are declared in words, and results come back as user text."""

_PROBE_TOOL = ToolSpec(
    name=PROBE_NAME,
    description="A tool.",
    parameters={"type": "object", "properties": {"probe_argument": {"type": "integer"}}},
)


class ChatTemplateFormat:
    """Writes conversations by a chat template.

    Args:
        vocab: The model's vocabulary; its metadata holds the template.
    """

    def __init__(self, vocab: Vocab) -> None:
        source = vocab.metadata.get("tokenizer.chat_template", "")
        self.name = "chat-template" if source else "plain"
        self._vocab = vocab
        self._template = ChatTemplate(source or PLAIN_TEMPLATE)
        self._ends = [vocab.piece(token).decode("utf-8", "replace") for token in sorted(vocab.eog)]
        self.thinks = "<think>" in source
        self._never = sorted(vocab.eog | _control_tokens(vocab, source))
        self.declares_tools = False
        """Whether the template declares tools itself."""
        self.knows_results = False
        """Whether the template knows the role ``tool`` and past calls."""
        self.style: CallStyle = HERMES
        """How calls are written."""
        self._look_at_template(source)

    def prompt(self, request: TurnRequest) -> list[int]:
        """Returns the prompt's tokens.

        Raises:
            agentkit.errors.ModelError: The template refuses the conversation, fails, or takes too long.
        """
        stand_ins = StandIns(self._vocab)
        text = self._render(request.messages, request.tools, stand_ins=stand_ins, thinking=request.thinking > 0)
        tokens = stand_ins.tokens(text)
        bos = self._vocab.bos
        if (
            bos is not None
            and self._vocab.metadata.get("tokenizer.ggml.add_bos_token") == "true"
            and tokens[:1] != [bos]
        ):
            tokens.insert(0, bos)
        return tokens

    def script(self, request: TurnRequest) -> Script[Draft]:
        """Returns the script of the turn."""
        return turn_script(request, self.style, thought=self._thought_texts(), lark=self._lark, never=self._never)

    def close(self) -> None:
        """Ends the template's process."""
        self._template.close()

    # What the template knows

    def _look_at_template(self, source: str) -> None:
        """Finds out by rendering small conversations; a template may refuse any of them."""
        question: list[Message] = [System("Be brief."), User("Hello")]
        if not source:
            return
        self.declares_tools = PROBE_NAME in (self._try(question, [_PROBE_TOOL]) or "")
        calls = Assistant(tuple(ToolCall(PROBE_NAME, dict(arguments), "probe") for arguments in PROBE_CALLS))
        first = Assistant(calls.pieces[:1])
        turns = [self._turn_of(question, turn) for turn in (calls, first)]
        found = [style for turn in turns if turn and (style := style_from_rendering(turn, self._ends))]
        self.style = found[0] if found else MISTRAL if "[TOOL_CALLS]" in source else HERMES
        marked = "result of the probe"
        with_result = self._try([*question, first, ToolResult("probe", PROBE_NAME, marked)], [_PROBE_TOOL])
        self.knows_results = self.declares_tools and marked in (with_result or "") and bool(found or turns[1])

    def _turn_of(self, question: Sequence[Message], turn: Assistant) -> str | None:
        """The text of a turn of the model, from where it would begin to write."""
        opened = self._try(question, [_PROBE_TOOL])
        whole = self._try([*question, turn], [_PROBE_TOOL], generation=False)
        if opened is None or whole is None or PROBE_NAME not in whole[len(opened) - 20 :]:
            return None
        # Some templates open the turn differently when it is over ("assistant" and no newline): common text counts.
        common = next((i for i, (a, b) in enumerate(zip(opened, whole, strict=False)) if a != b), len(opened))
        return whole[common:].lstrip("\n")

    def _try(self, messages: Sequence[Message], tools: Sequence[ToolSpec], *, generation: bool = True) -> str | None:
        try:
            return self._render_as(messages, tools, stand_ins=None, thinking=False, generation=generation)
        except TemplateRefused:
            try:
                return self._render_as(
                    fold_system(messages), tools, stand_ins=None, thinking=False, generation=generation
                )
            except TemplateRefused:
                return None

    # Rendering

    def _render(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], *, stand_ins: StandIns, thinking: bool
    ) -> str:
        if tools and not self.declares_tools:
            messages = with_system(messages, tools_as_system(tools, self.style))
            tools = ()
        if not self.knows_results:
            messages = results_as_user(messages, self.style)
        try:
            return self._render_as(messages, tools, stand_ins=stand_ins, thinking=thinking)
        except TemplateRefused:
            folded = fold_system(messages)  # many templates know no system message
            if folded == list(messages):
                raise
            return self._render_as(folded, tools, stand_ins=stand_ins, thinking=thinking)

    def _render_as(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        *,
        stand_ins: StandIns | None,
        thinking: bool,
        generation: bool = True,
    ) -> str:
        put = stand_ins.put if stand_ins else str
        put_risky = stand_ins.put_risky if stand_ins else _unchanged
        declared: list[JsonObject] = [put_risky(declaration(tool)) for tool in tools]
        return self._template.render(
            {
                "messages": template_messages(messages, put, put_risky),
                "tools": declared or None,
                "add_generation_prompt": generation,
                "enable_thinking": thinking,
                "bos_token": self._token_text("bos"),
                "eos_token": self._token_text("eos"),
            }
        )

    def _token_text(self, which: str) -> str:
        token = self._vocab.metadata.get(f"tokenizer.ggml.{which}_token_id", "")
        return self._vocab.piece(int(token)).decode("utf-8", "replace") if token.isdecimal() else ""

    # Scripts

    def _thought_texts(self) -> tuple[str, str]:
        return ("<think>\n", "\n</think>\n\n") if self.thinks else ("", "\n\n")

    def _lark(self, text: str) -> str:
        """Text with control tokens in it as a Lark expression."""
        parts: list[str] = []
        for part in re.split(r"(<[^<>\s]+>|\[[^\[\]\s]+\])", text):
            token = self._vocab.special(part) if part else None
            if token is not None:
                parts.append(f"<[{token}]>")
            elif part:
                parts.append(json.dumps(part, ensure_ascii=False))
        return " ".join(parts) or '""'


def _control_tokens(vocab: Vocab, source: str) -> set[int]:
    """The control tokens that the template itself writes around turns."""
    found = (vocab.special(text) for text in set(re.findall(r"<\|[^|<>\s]+\|>", source)))
    return {token for token in found if token is not None}


def _unchanged(value: Any) -> Any:
    return value


def _fits(metadata: Mapping[str, str]) -> bool:
    return True


@register(_fits, order=100)
def _chat_template(vocab: Vocab) -> ChatTemplateFormat:
    return ChatTemplateFormat(vocab)
