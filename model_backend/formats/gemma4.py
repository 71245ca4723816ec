r"""Gemma 4 and FunctionGemma in their own format: the prompt, and the script of a turn.

Whether a thought channel is opened, and how, depends on the size (the empty one breaks E2B and E4B, and without it
the large ones stop silently): the small models are those with per-layer embeddings, which the file's
``gemma4.embedding_length_per_layer_input`` says.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Literal as OneOf
from typing import TypeAlias

from agentkit.model_backend.base import TurnRequest
from agentkit.model_backend.constraint.gemma4 import CallGrammar, CallTokens, call_grammar
from agentkit.model_backend.constraint.grammar import json_schema_grammar
from agentkit.model_backend.formats.base import Draft, Vocab, register
from agentkit.model_backend.formats.gemma4_loops import runaway
from agentkit.model_backend.formats.gemma4_parse import parse
from agentkit.model_backend.formats.gemma4_render import render
from agentkit.model_backend.formats.gemma4_tokens import FUNCTION_GEMMA, GEMMA4, Alphabet, Mark, TokenTable
from agentkit.model_backend.script import Constrained, Decoded, Free, Literal, Script, Segment

__all__ = ["Gemma4Format", "Generation", "is_small", "template_generation"]

Generation: TypeAlias = OneOf["none", "launch", "april", "july", "interleaved"]

THOUGHT_CHUNK = 48
"""Tokens of a thought between two looks for a loop."""
GHOST_TOKENS = 32
"""What a thought may take that was not asked for."""

_Steps: TypeAlias = Generator[Segment, Decoded, None]


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
    """Returns whether the file is E2B or E4B."""
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
        self.alphabet = Alphabet(vocab, table)
        self._small = is_small(vocab.metadata)

    def prompt(self, request: TurnRequest) -> list[int]:
        """Returns the prompt's tokens."""
        return render(self.alphabet, request.messages, request.tools, thinking=request.thinking > 0)

    def script(self, request: TurnRequest) -> Script[Draft]:
        """Returns the script of the turn."""
        return _Turn(self.alphabet, request, self._small).run()


class _Turn:
    def __init__(self, alphabet: Alphabet, request: TurnRequest, small: bool) -> None:
        self._alphabet, self._request, self._small = alphabet, request, small
        self._ids = alphabet.ids
        self._tokens: list[int] = []
        self._notes: list[str] = []
        self._left = request.max_tokens
        self._thoughts_left = request.thinking
        self._cut = False

    def run(self) -> Script[Draft]:
        if self._alphabet.table.thinks:
            yield from self._begin()
        request = self._request
        if request.calls == "required" and request.tools:
            yield from self._constrained(self._grammar())
        elif request.output is not None:
            yield from self._answer()
        else:
            yield from self._free()
        parsed = parse(self._alphabet, self._tokens, tools=[tool.name for tool in request.tools])
        calls = any(span.kind == "call" for span in parsed.spans)
        if calls and self._tokens[-1] not in self._alphabet.vocab.eog:
            yield Literal(tokens=(self._ids[Mark.RESPONSE],))
        stop: OneOf["calls", "answer", "length"] = "calls" if calls else "length" if self._cut else "answer"
        return Draft(pieces=parsed.pieces, stop=stop, notes=(*self._notes, *parsed.notes))

    def _take(self, segment: Segment) -> Generator[Segment, Decoded, Decoded]:
        decoded = yield segment
        self._tokens += decoded.tokens
        return decoded

    def _literal(self, *parts: Mark | str) -> _Steps:
        yield from self._take(Literal(tokens=tuple(self._alphabet.encode(parts))))

    # Thoughts

    def _begin(self) -> _Steps:
        after_tool = bool(self._request.messages) and self._request.messages[-1].role == "tool"
        if self._request.thinking:
            yield from self._literal(Mark.CHANNEL, "thought\n")
            yield from self._think(self._request.thinking)
        elif not self._small and not after_tool:
            yield from self._literal(Mark.CHANNEL, "thought\n", Mark.CHANNEL_END)

    def _think(self, budget: int) -> _Steps:
        """A thought, chunk by chunk, closed as the model would close it when it goes on too long or in circles."""
        closer = self._alphabet.text(Mark.CHANNEL_END)
        ban = tuple(token for mark, token in self._ids.items() if mark is not Mark.CHANNEL_END)
        ban = (*ban, *(token for token in self._alphabet.vocab.eog if token not in ban))
        thought: list[int] = []
        why = f"the thought was cut at its budget of {budget} tokens"
        while len(thought) < budget:
            size = min(THOUGHT_CHUNK, budget - len(thought))
            decoded = yield from self._take(Free(stop=(closer,), max_tokens=size, kind="thought", ban=ban))
            thought += decoded.tokens
            if decoded.stop == "stop":
                self._thoughts_left -= len(thought)
                return
            if found := runaway(thought, self._alphabet.vocab.piece):
                why = f"the thought was cut: {found}"
                break
            if len(decoded.tokens) < size:
                break
        self._thoughts_left -= len(thought)
        self._notes.append(why)
        yield from self._literal("\n", Mark.CHANNEL_END)

    # Answers and calls

    def _free(self) -> _Steps:
        """Text until the turn ends, or calls as soon as the model begins one."""
        may_call = bool(self._request.tools) and self._request.calls != "none"
        stops = [Mark.CALL] if may_call else []
        stops += [Mark.CHANNEL] if self._alphabet.table.thinks else []
        ends = (Mark.TURN_END, *stops)
        ban = tuple(token for mark, token in self._ids.items() if mark not in ends)
        first = True
        while self._left > 0:
            # The first token may not end the turn: an empty turn helps nobody, and large models fall into it.
            eog = tuple(self._alphabet.vocab.eog)
            decoded = yield from self._take(
                Free(
                    stop=tuple(map(self._alphabet.text, stops)),
                    max_tokens=1 if first else self._left,
                    ban=(*ban, *eog) if first else ban,
                )
            )
            self._left -= len(decoded.tokens)
            if decoded.stop == "eog":
                return
            if decoded.matched and decoded.matched == self._alphabet.table.texts.get(Mark.CHANNEL):
                yield from self._think(max(self._thoughts_left, GHOST_TOKENS))
            elif decoded.stop == "stop":
                yield from self._constrained(self._grammar(opened=True))
                return
            elif not first or not decoded.tokens:
                break
            first = decoded.stop == "stop"
        self._cut = True

    def _answer(self) -> _Steps:
        """An answer by schema, or calls."""
        output = self._request.output or {}
        if self._request.tools and self._request.calls != "none":
            yield from self._constrained(self._grammar(answer=output))
        else:
            grammar = json_schema_grammar(output)
            decoded = yield from self._take(Constrained(grammar=grammar, max_tokens=self._left, kind="text"))
            self._cut = decoded.stop == "length"

    def _constrained(self, calls: CallGrammar) -> _Steps:
        self._notes += [f"checked after decoding: {what}" for what in calls.relaxed]
        decoded = yield from self._take(Constrained(grammar=calls.grammar, max_tokens=max(self._left, 1)))
        self._cut = decoded.stop == "length"

    def _grammar(self, *, opened: bool = False, answer: dict[str, object] | None = None) -> CallGrammar:
        tokens = CallTokens(self._ids[Mark.CALL], self._ids[Mark.CALL_END], self._ids[Mark.QUOTE])
        tools = {tool.name: tool.parameters for tool in self._request.tools}
        return call_grammar(tools, tokens, max_calls=self._request.max_calls, opened=opened, answer=answer)


@register(lambda metadata: metadata.get("general.architecture") == "gemma4")
def _gemma4(vocab: Vocab) -> Gemma4Format:
    return Gemma4Format(vocab)


@register(lambda metadata: "<start_function_call>" in metadata.get("tokenizer.chat_template", ""))
def _function_gemma(vocab: Vocab) -> Gemma4Format:
    return Gemma4Format(vocab, FUNCTION_GEMMA)
