r"""Messages and tools to the tokens of a prompt.

The text around the messages is that of the chat template published in July 2026. Two things differ, on purpose:

- Turns of the model are repeated token by token (`Assistant.tokens`), never written anew: what the model sees is
  what it said, and the cache stays good. ``Assistant.tokens`` begins after ``<|turn>model\n`` or, when the turn
  goes on after tool results, after the last ``<tool_response|>``; it holds everything decoded or put there since,
  opened channels included, up to and with the token that ended it: ``<|tool_response>`` after calls, ``<turn|>``
  after an answer. Only two things are ever taken out: thoughts, once the user has spoken again, and what gave no
  piece, such as half a call at the end of a budget.
- Declarations say what the template drops; see `gemma4_declare`.

Media stand before the text of their message, as placeholders; what takes their places is not the renderer's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agentkit.messages import Assistant, JsonObject, Media, Message, System, Text, ToolCall, ToolResult, User
from agentkit.model_backend.base import ToolSpec
from agentkit.model_backend.formats.gemma4_declare import declaration_parts
from agentkit.model_backend.formats.gemma4_parse import parse
from agentkit.model_backend.formats.gemma4_tokens import Alphabet, Mark, Part
from agentkit.model_backend.formats.gemma4_values import object_parts

__all__ = ["call_parts", "render", "response_parts", "thought_parts"]


def render(
    alphabet: Alphabet, messages: Sequence[Message], tools: Sequence[ToolSpec] = (), *, thinking: bool = False
) -> list[int]:
    r"""Returns the prompt, up to where the model goes on: after ``<|turn>model\n`` or a tool response.

    The thought channel that is opened for the model there is the script's to open, so that it is part of
    `Assistant.tokens`.

    Args:
        alphabet: The control tokens.
        messages: The conversation so far.
        tools: What the model may call.
        thinking: Whether the model is to think.
    """
    prompt = _Prompt(alphabet)
    rest = prompt.system(messages, tools, thinking and alphabet.table.thinks)
    last_user = max((i for i, message in enumerate(rest) if isinstance(message, User)), default=-1)
    at = 0
    while at < len(rest):
        message = rest[at]
        at += 1
        if isinstance(message, Assistant):
            prompt.assistant(message, keep_thoughts=at > last_user)
            results = _results_after(rest, at)
            prompt.results(message.calls, results, last=at + len(results) >= len(rest))
            at += len(results)
        elif isinstance(message, ToolResult):
            prompt.results((), [message], last=at >= len(rest))
        elif isinstance(message, User):
            prompt.turn("user", message.text, message.media)
        else:
            prompt.turn(alphabet.table.system_role, message.text)
    prompt.open_model_turn()
    return prompt.tokens


def call_parts(call: ToolCall) -> list[Part]:
    """Returns the parts of a call."""
    return [Mark.CALL, f"call:{call.name}", *object_parts(call.arguments), Mark.CALL_END]


def response_parts(name: str, result: ToolResult | None) -> list[Part]:
    """Returns the parts of a tool's response, without the token before it.

    A result that is not an object stands under ``value``, an error under ``error``.
    """
    fields: JsonObject
    if result is None:
        fields = {"error": "not run"}
    elif result.is_error:
        fields = {"error": result.value}
    else:
        fields = result.value if isinstance(result.value, dict) else {"value": result.value}
    return [f"response:{name}", *object_parts(fields), Mark.RESPONSE_END]


def thought_parts(text: str) -> list[Part]:
    """Returns the parts of a thought; an empty one for an empty text."""
    return [Mark.CHANNEL, "thought\n" + (text + "\n" if text else ""), Mark.CHANNEL_END]


def _results_after(messages: Sequence[Message], at: int) -> list[ToolResult]:
    results: list[ToolResult] = []
    for message in messages[at:]:
        if not isinstance(message, ToolResult):
            break
        results.append(message)
    return results


@dataclass(slots=True)
class _Prompt:
    alphabet: Alphabet
    tokens: list[int] = field(init=False)
    _in_model_turn: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        bos = self.alphabet.vocab.bos
        self.tokens = [] if bos is None else [bos]

    def add(self, *parts: Part) -> None:
        self.tokens += self.alphabet.encode(parts)

    def system(self, messages: Sequence[Message], tools: Sequence[ToolSpec], thinking: bool) -> Sequence[Message]:
        """Writes the first turn if there is anything for it; returns the messages that are left."""
        first = messages[0] if messages else None
        text = first.text.strip() if isinstance(first, System) else ""
        if not (thinking or tools or isinstance(first, System)):
            return messages
        table = self.alphabet.table
        parts: list[Part] = [Mark.TURN, f"{table.system_role}\n"]
        parts += [Mark.THINK, "\n"] if thinking else []
        parts.append(text)
        if tools and table.tools_intro:
            parts += ["\n" if text else "", table.tools_intro]
        for tool in tools:
            parts += declaration_parts(tool)
        self.add(*parts, Mark.TURN_END, "\n")
        return messages[1:] if isinstance(first, System) else messages

    def turn(self, role: str, text: str, media: Sequence[Media] = ()) -> None:
        """Writes a turn that is not the model's."""
        self.close_model_turn()
        begin = f"{role}\n"
        if media:
            self.add(Mark.TURN, begin)
            self.tokens += map(self.alphabet.placeholder, media)
            self.add(text.strip(), Mark.TURN_END, "\n")
        else:  # as one text, which is how the template writes it
            self.add(Mark.TURN, begin + text.strip(), Mark.TURN_END, "\n")

    def open_model_turn(self) -> None:
        if not self._in_model_turn:
            self.add(Mark.TURN, "model\n")
            self._in_model_turn = True

    def close_model_turn(self) -> None:
        if self._in_model_turn:
            ids = self.alphabet.ids
            if self.tokens[-1] != ids[Mark.TURN_END]:
                self.tokens.append(ids[Mark.TURN_END])
            self.add("\n")
            self._in_model_turn = False

    def assistant(self, message: Assistant, *, keep_thoughts: bool) -> None:
        self.open_model_turn()
        if message.tokens:
            self.tokens += self._kept(message, keep_thoughts)
        else:
            for piece in message.pieces:
                if isinstance(piece, Text):
                    self.add(piece.text)
                elif isinstance(piece, ToolCall):
                    self.add(*call_parts(piece))
                elif keep_thoughts and self.alphabet.table.thinks:
                    self.add(*thought_parts(piece.text))
        if not message.calls:
            self.close_model_turn()

    def results(self, calls: Sequence[ToolCall], results: Sequence[ToolResult], *, last: bool) -> None:
        """Writes the responses in the order of their calls; a call without one was not run."""
        if not calls and not results:
            return
        self.open_model_turn()
        response = self.alphabet.ids[Mark.RESPONSE]
        for name, result in _in_call_order(calls, results):
            if self.tokens[-1] != response:
                self.tokens.append(response)
            self.add(*response_parts(name, result))

    def _kept(self, message: Assistant, keep_thoughts: bool) -> list[int]:
        """The message's tokens, without what must not be repeated."""
        parsed = parse(self.alphabet, message.tokens)
        tokens = list(message.tokens)
        gone = ("dropped",) if keep_thoughts else ("dropped", "thought")
        for span in reversed(parsed.spans):
            if span.kind in gone:
                del tokens[span.begin : span.end]
        response = self.alphabet.ids[Mark.RESPONSE]
        # The turn goes on after calls, whatever token ended the decoding; an answer ends with <turn|> alone.
        wrong_end = self.alphabet.ids[Mark.TURN_END] if message.calls else response
        while tokens and tokens[-1] in (self.alphabet.eos, wrong_end):
            tokens.pop()
        return tokens


def _in_call_order(calls: Sequence[ToolCall], results: Sequence[ToolResult]) -> list[tuple[str, ToolResult | None]]:
    """Each call's name with its result; results of no call come last."""
    left = list(results)
    pairs: list[tuple[str, ToolResult | None]] = []
    for call in calls:
        mine = next((r for r in left if r.call_id == call.id and r.name == call.name), None)
        if mine:
            left.remove(mine)
        pairs.append((call.name, mine))
    return pairs + [(result.name, result) for result in left]
