"""The format with Gemma 4's own vocabulary."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("llama_cpp")
pytest.importorskip("llguidance")

from agentkit.messages import ToolCall
from agentkit.model_backend.constraint import Constraints
from agentkit.model_backend.constraint.gemma4 import CallTokens, call_grammar
from agentkit.model_backend.engine import Vocab
from agentkit.model_backend.formats.gemma4 import template_generation
from agentkit.model_backend.formats.gemma4_parse import parse
from agentkit.model_backend.formats.gemma4_render import call_parts
from agentkit.model_backend.formats.gemma4_tokens import GEMMA4, Alphabet, Mark
from tests.formats.gemma4.corpus import TOOLS, corpus
from tests.formats.gemma4.random_calls import random_schema
from tests.formats.gemma4.real_vocab import load_vocabulary, vocabulary_file
from tests.formats.gemma4.small_vocab import marked

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def alphabet(request: pytest.FixtureRequest) -> Iterator[Alphabet]:
    model, vocab = load_vocabulary(vocabulary_file(request.config.cache.mkdir("gemma4-vocabulary")))
    yield Alphabet(vocab, GEMMA4)
    model.free()


MARKERS = [
    *GEMMA4.texts.values(),
    *GEMMA4.others,
    "<unused49>",
    "<0x0A>",
    "<start_of_turn>",
    "<escape>",
    "[multimodal]",
]
WORDS = ["call:f{a:1}", "thought\n", "the", " of", "\n", "\n\n\n", "\t", "  ", "\u2581", "<", "|", ">", "<|", "|>", '"']
PLANES = [
    (0x20, 0x7F),
    (0x80, 0x2FF),
    (0x400, 0x5FF),
    (0x2000, 0x2BFF),
    (0x4E00, 0x9FFF),
    (0xE000, 0xFFFF),
    *((plane << 16, (plane << 16) + 0xFFFF) for plane in range(1, 17)),
]


def generated_text(choose: random.Random) -> str:
    parts: list[str] = []
    for _ in range(choose.randint(1, 12)):
        kind = choose.randrange(5)
        if kind < 2:
            parts.append(choose.choice(MARKERS))
        elif kind == 2:
            marker = choose.choice(MARKERS)
            cut = choose.randrange(len(marker))
            parts.append(choose.choice([marker[:cut], marker[cut:]]))
        elif kind == 3:
            parts.append(choose.choice(WORDS))
        else:
            parts.append("".join(chr(choose.randint(*choose.choice(PLANES))) for _ in range(choose.randint(1, 5))))
    return "".join(parts)


def test_no_text_becomes_a_control_token_and_all_reads_the_same(alphabet: Alphabet) -> None:
    others = {alphabet.vocab.special(text) for text in GEMMA4.others}
    control = {*alphabet.marks, *alphabet.vocab.eog, *others}
    choose = random.Random(0)
    for _ in range(5_000):
        text = generated_text(choose)
        tokens = alphabet.plain(text)
        assert not control.intersection(tokens), text
        assert alphabet.decode(tokens) == text


def test_arguments_read_back_exactly(alphabet: Alphabet) -> None:
    choose = random.Random(1)

    def value(depth: int) -> Any:
        kind = choose.randrange(8 if depth else 6)
        if kind < 2:
            return generated_text(choose)
        if kind < 6:
            number = choose.uniform(-1, 1) * 10 ** choose.randint(-300, 300)
            return choose.choice([None, True, False, number, choose.randint(-(2**63), 2**63), 5e-324])
        items = [value(depth - 1) for _ in range(choose.randint(0, 3))]
        return items if kind == 6 else {generated_text(choose): item for item in items}

    for _ in range(1_000):
        call = ToolCall("f", {generated_text(choose): value(3) for _ in range(choose.randint(0, 4))})
        parsed = parse(alphabet, alphabet.encode(call_parts(call)))
        assert parsed.notes == ()
        (again,) = parsed.pieces
        assert isinstance(again, ToolCall)
        assert json.dumps(again.arguments, sort_keys=True) == json.dumps(call.arguments, sort_keys=True)


def test_the_corpus_reads_the_same(alphabet: Alphabet) -> None:
    for case in corpus():
        assert parse(alphabet, marked(alphabet, case.tokens), tools=TOOLS).pieces == case.gives, case.tokens


def test_the_ids_are_those_of_the_model_card(alphabet: Alphabet) -> None:
    ids = {Mark.CALL: 48, Mark.CALL_END: 49, Mark.RESPONSE: 50, Mark.QUOTE: 52, Mark.CHANNEL: 100, Mark.TURN_END: 106}
    assert {mark: alphabet.ids[mark] for mark in ids} == ids
    assert alphabet.vocab.eog == {1, 50, 106}


def test_the_file_carries_the_first_template(alphabet: Alphabet) -> None:
    assert template_generation(alphabet.vocab.metadata) == "launch"


def test_what_a_grammar_allows_is_what_the_renderer_writes(alphabet: Alphabet) -> None:
    """A call written by the renderer, token by token as the model was trained on, passes the tool's grammar."""
    vocab = alphabet.vocab
    assert isinstance(vocab, Vocab)
    constraints = Constraints(vocab.handle, eog=vocab.eog)
    tokens = CallTokens(*(alphabet.ids[mark] for mark in (Mark.CALL, Mark.CALL_END, Mark.QUOTE)))
    rows: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"city": {"type": "string"}, "days": {"type": "integer"}}, {"city": "Tokyo", "days": 1}),
        ({"a": {"type": "number"}, "B": {"type": "boolean"}}, {"a": -1.5, "B": True}),
        ({"l": {"type": "array", "items": {"type": "string"}}}, {"l": ["x", "日本", "<|tool_call>"]}),
        ({"o": {"type": "object", "additionalProperties": True}}, {"o": {"k": None, "a b": [1, {"x": "y"}]}}),
        ({'q"q': {"enum": ['a"b', 3]}}, {'q"q': 'a"b'}),
    ]
    for properties, arguments in rows:
        grammar = call_grammar({"f": {"type": "object", "properties": properties}}, tokens).grammar
        matcher = constraints.matcher(grammar)
        for token in alphabet.encode(call_parts(ToolCall("f", arguments))):
            assert matcher.allows(token), (arguments, alphabet.vocab.piece(token))
            matcher.accept([token])
        assert matcher.accepting
    for seed in range(100):
        constraints.matcher(call_grammar({"f": random_schema(seed)}, tokens).grammar).mask()
