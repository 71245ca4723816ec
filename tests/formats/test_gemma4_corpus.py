"""Turns as models write them, well and badly: what each must give, and what none may ever give."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from agentkit.messages import ToolCall
from agentkit.model_backend.constraint.keywords import is_array, is_object
from agentkit.model_backend.formats.gemma4_parse import Parser
from agentkit.model_backend.formats.gemma4_pieces import Parsed, PieceDone
from agentkit.model_backend.formats.gemma4_tokens import FUNCTION_GEMMA, Mark
from tests.formats.gemma4.corpus import TOOLS, Case, corpus
from tests.formats.gemma4.small_vocab import marked, small_alphabet
from tests.formats.gemma4.strict import read_strictly

A = small_alphabet()
CASES = corpus()


def read(tokens: list[int]) -> tuple[Parsed, list[Any]]:
    """What the parser says of a turn, and the pieces it announced while the tokens came."""
    parser = Parser(A, tools=TOOLS)
    events = [event for token in tokens for event in parser.feed(token)] + parser.finish()
    return parser.parsed, [event.piece for event in events if isinstance(event, PieceDone)]


def exact(pieces: Any) -> str:
    """1, 1.0 and true are equal to Python and not to JSON."""
    return "\n".join(
        f"{type(p).__name__} " + json.dumps([p.name, p.arguments] if isinstance(p, ToolCall) else p.text)
        for p in pieces
    )


@pytest.mark.parametrize("case", [pytest.param(c, id=f"{c.source}: {c.tokens[:40]}") for c in CASES])
def test_each_turn_of_the_corpus_gives_what_the_table_says(case: Case) -> None:
    parsed, announced = read(marked(A, case.tokens))
    assert exact(parsed.pieces) == exact(case.gives)
    assert announced == list(parsed.pieces)
    assert len(parsed.notes) == len(case.notes)
    for note, words in zip(parsed.notes, case.notes, strict=True):
        assert words in note


def test_the_corpus_is_large_and_says_where_its_cases_come_from() -> None:
    assert len(CASES) >= 120
    assert len({case.source for case in CASES}) >= 12


def test_function_gemma_reads_the_same_turns_in_its_own_tokens() -> None:
    other = small_alphabet(FUNCTION_GEMMA)
    count = 0
    for case in CASES:
        text = case.tokens
        if "channel" in text or "think" in text or any(mark in text for mark in ("\\", "<turn|>", "<|turn>")):
            continue
        for mark, spelled in other.table.texts.items():
            text = text.replace(A.text(mark), spelled)
        parser = Parser(other, tools=TOOLS)
        for token in marked(other, text):
            parser.feed(token)
        parser.finish()
        if not any(A.text(mark) in str(case.gives) for mark in Mark):
            assert exact(parser.parsed.pieces) == exact(case.gives), text
            count += 1
    assert count > 100


# Mutations


def mutations(seed: int, count: int) -> Iterator[list[int]]:
    """Turns of the corpus with tokens taken out, doubled, swapped, put in from elsewhere, or cut off."""
    choose = random.Random(seed)
    turns = [tokens for case in CASES if (tokens := marked(A, case.tokens)) and len(tokens) < 160]
    alphabet = [*A.marks, *(token for turn in turns for token in turn)]
    for _ in range(count):
        tokens = list(choose.choice(turns))
        for _ in range(choose.choice((1, 1, 1, 2, 3))):
            at = choose.randrange(len(tokens) + 1)
            change = choose.randrange(6)
            if change == 0:
                del tokens[at : at + choose.randint(1, 3)]
            elif change == 1:
                tokens[at:at] = tokens[max(at - choose.randint(1, 4), 0) : at]
            elif change == 2:
                tokens[at:at] = [choose.choice(alphabet)]
            elif change == 3:
                tokens[at : at + 1] = [choose.choice([*A.marks])]
            elif change == 4:
                other = choose.choice(turns)
                tokens[at:] = other[choose.randrange(len(other)) :]
            else:
                del tokens[at:]
        yield tokens


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif is_array(value):
        for item in value:
            yield from leaves(item)
    elif is_object(value):
        yield from leaves([*value.values()])


def check_mutated(tokens: list[int]) -> int:
    """Returns the number of calls; fails where one was not there, or was changed without a word."""
    parsed, announced = read(tokens)
    assert announced == list(parsed.pieces)
    calls = [piece for piece in parsed.pieces if isinstance(piece, ToolCall)]
    spans = [span for span in parsed.spans if span.kind == "call"]
    for call, span in zip(calls, spans, strict=True):
        inside = tokens[span.begin : span.end]
        text = A.decode(inside)
        assert call.name in text and "call:" in text
        told = any(note.startswith((f"{call.name}:", "<", "calls right after")) for note in parsed.notes)
        if not told:
            assert exact([ToolCall(*read_strictly(A, inside))]) == exact([call])
        elif "\\" not in text:
            assert all(leaf in text for leaf in leaves(call.arguments)), (text, call)
        if A.ids[Mark.CALL] not in inside:
            assert call.name in TOOLS and any("missing <|tool_call>" in note for note in parsed.notes)
    return len(calls)


def test_mutated_turns_give_no_call_that_was_not_there() -> None:
    assert sum(map(check_mutated, mutations(14, 20_000))) > 2_000
