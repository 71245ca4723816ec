"""A prompt repeats what was there before it, token for token."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("llguidance")

from agentkit.messages import Assistant, Message, Piece, System, Text, ToolCall, ToolResult, User
from agentkit.model_backend.base import ToolSpec, TurnRequest
from agentkit.model_backend.formats.gemma4_render import render
from agentkit.model_backend.formats.gemma4_tokens import FUNCTION_GEMMA, GEMMA4, Alphabet, Mark
from agentkit.model_backend.formats.gemma4_turn import turn_script
from tests.formats.gemma4.dice import Dice
from tests.formats.gemma4.small_vocab import small_alphabet

ALPHABETS = {table.name: small_alphabet(table) for table in (GEMMA4, FUNCTION_GEMMA)}
POLICIES = st.sampled_from(["auto", "auto", "none", "required"])
TOOLS = [
    ToolSpec(name=name, description="", parameters={"type": "object", "properties": {"a": {}, "b": {}}})
    for name in ("f", "g")
]
TEXTS = st.one_of(
    st.text(max_size=8), st.sampled_from(["<turn|>", '<|"|>', "<|channel>thought\n", "<|tool_call>call:f{}", " "])
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
CALLS = st.lists(
    st.builds(ToolCall, st.sampled_from(["f", "g"]), st.dictionaries(st.sampled_from(["a", "b"]), VALUES, max_size=2)),
    min_size=1,
    max_size=3,
)


@dataclass
class Conversation:
    """Turns of a model, one after the other, as a run asks for them."""

    alphabet: Alphabet
    thinking: int
    small: bool
    messages: list[Message]
    turn_began: int = 0
    """Where the model's last turn after a user's message begins in the prompt."""
    asked: TurnRequest = field(init=False)
    cut: bool = False
    """Whether the last turn ends in half a call."""

    def prompt(self, **more: Any) -> list[int]:
        self.asked = TurnRequest(messages=self.messages, tools=TOOLS, thinking=self.thinking, **more)
        prompt = render(self.alphabet, self.messages, TOOLS, thinking=self.thinking > 0)
        if isinstance(self.messages[-1], User):
            self.turn_began = len(prompt)
        return prompt

    def turn(self, dice: Dice) -> Assistant:
        draft = dice.play(turn_script(self.alphabet, self.asked, small=self.small))
        pieces: list[Piece] = [
            replace(piece, id=f"c{i}") if isinstance(piece, ToolCall) else piece for i, piece in enumerate(draft.pieces)
        ]
        said = Assistant(tuple(pieces), tuple(dice.tokens))
        self.messages.append(said)
        self.cut = any(note.startswith(("call left out", "call cut off")) for note in draft.notes)
        return said

    def without_half_a_call(self, tokens: Sequence[int]) -> list[int]:
        """What the end of the budget cut is left out."""
        begin = max(i for i, token in enumerate(tokens) if token == self.alphabet.ids[Mark.CALL])
        return list(tokens[:begin])

    def without_end(self, tokens: Sequence[int]) -> list[int]:
        """A turn that goes on has no end, and one that ends has its own."""
        ends = {*self.alphabet.vocab.eog}
        kept = list(tokens)
        while kept and kept[-1] in ends:
            kept.pop()
        return kept

    def without_thoughts(self, tokens: Sequence[int]) -> list[int]:
        """Everything but what stands between channel tokens, in the model's last turn."""
        if not self.alphabet.table.thinks:
            return list(tokens)
        opened, closed = self.alphabet.ids[Mark.CHANNEL], self.alphabet.ids[Mark.CHANNEL_END]
        kept, inside = list(tokens[: self.turn_began]), False
        for token in tokens[self.turn_began :]:
            inside = inside or token == opened
            if not inside:
                kept.append(token)
            inside = inside and token != closed
        return kept


def results(data: st.DataObject, said: Assistant) -> list[ToolResult]:
    """A result for each call or for some, in any order, good or bad."""
    made = [
        ToolResult(call.id, call.name, data.draw(TEXTS), is_error=True)
        if data.draw(st.booleans())
        else ToolResult(call.id, call.name, data.draw(VALUES))
        for call in said.calls
        if data.draw(st.integers(0, 4))
    ]
    return data.draw(st.permutations(made))


@given(st.data(), st.sampled_from([0, 0, 5, 40]), st.booleans(), st.sampled_from([*ALPHABETS]), st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_a_prompt_begins_with_the_last_one_and_all_tokens_of_its_turn(
    data: st.DataObject, thinking: int, small: bool, family: str, seed: int
) -> None:
    alphabet = ALPHABETS[family]
    begin: list[Message] = [System(data.draw(TEXTS))] if data.draw(st.booleans()) else []
    talk = Conversation(alphabet, thinking, small, [*begin, User(data.draw(TEXTS))])
    throw = random.Random(seed)
    prompt = talk.prompt(calls=data.draw(POLICIES))
    for _ in range(4):
        said = talk.turn(Dice(alphabet, throw, data.draw(CALLS)))
        before = talk.without_end([*prompt, *said.tokens])
        if talk.cut:
            before = talk.without_half_a_call(before)
        if said.calls:
            talk.messages += results(data, said)
        elif not said.pieces or data.draw(st.booleans()):
            talk.messages.append(User(data.draw(TEXTS)))
            before = talk.without_end(talk.without_thoughts(before))
        prompt = talk.prompt(calls=data.draw(POLICIES), max_tokens=data.draw(st.sampled_from([25, 2048])))
        assert prompt[: len(before)] == before


def test_text_that_no_tokeniser_would_cut_so_is_repeated_as_it_was() -> None:
    """Written anew, ``thought`` would be one token and the call's arguments would change places."""
    alphabet = ALPHABETS["gemma4"]
    odd = Dice(alphabet, random.Random(0), [])
    written = [*alphabet.plain("thoughtful "), *alphabet.encode([Mark.CALL, "call:f{b:1,a:2}", Mark.CALL_END])]
    tokens = [token for piece in written for token in (odd.odd([piece]))]
    assert tokens != written and alphabet.decode(tokens) == alphabet.decode(written)
    said = Assistant((Text("thoughtful "), ToolCall("f", {"b": 1, "a": 2})), tuple(tokens))
    asked: list[Message] = [User("go")]
    before = render(alphabet, asked, TOOLS)
    after = render(alphabet, [*asked, said, ToolResult("", "f", 1)], TOOLS)
    assert after[: len(before) + len(tokens)] == [*before, *tokens]
    anew = render(alphabet, [*asked, Assistant(said.pieces), ToolResult("", "f", 1)], TOOLS)
    assert anew[: len(before) + len(tokens)] != [*before, *tokens]
    assert json.dumps(said.calls[0].arguments) == '{"b": 1, "a": 2}'
