"""Whatever the weights say, calls parse and fit their schemas."""

import asyncio
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agentkit.messages import User
from agentkit.model_backend.base import ToolSpec, TurnRequest
from agentkit.model_backend.engine import Engine
from agentkit.model_backend.engine.sampling import ResolvedSampling
from agentkit.model_backend.formats.gemma4 import Gemma4Format
from tests.tiny_gguf import TinyKind, build_tiny_gguf

# llguidance reads the vocabulary through a function that llama-cpp-python calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:llama_token_get_attr is deprecated")

SHORT: dict[str, Any] = {"type": "string", "maxLength": 6}
SCHEMAS: list[dict[str, Any]] = [
    {},
    {"a": SHORT},
    {"n": {"type": "integer", "minimum": -3, "maximum": 40}, "x": {"type": "number"}},
    {"e": {"enum": ["red", 'a"b', 3, None, True]}, "type": {"type": "boolean"}},
    {"l": {"type": "array", "items": SHORT, "maxItems": 3}, "d": {"type": "string", "format": "date"}},
    {"u": {"anyOf": [{"type": "integer"}, SHORT, {"type": "null"}]}},
    {"o": {"type": "object", "properties": {"k k": SHORT, "z": {"type": "boolean"}}, "required": ["z"]}},
    {"m": {"type": "object", "additionalProperties": {"type": "boolean"}, "maxProperties": 2}},
    {
        "p": {"type": "string", "pattern": "^[A-Z]{2}\\d{3}$"},
        "t": {"type": "array", "prefixItems": [SHORT], "items": False},
    },
]


@pytest.mark.parametrize("kind", ["dense", "moe", "ple"])
def test_calls_of_random_weights_are_valid(kind: TinyKind, tmp_path: Path) -> None:
    engine = Engine.load(build_tiny_gguf(tmp_path / "tiny.gguf", kind=kind))
    form = Gemma4Format(engine.vocab)
    count = 0
    for seed in range(3):
        for i, properties in enumerate(SCHEMAS):
            parameters = {"type": "object", "properties": properties, "required": list(properties)[:1]}
            tools = [ToolSpec(name=f"tool_{i}", description="", parameters=parameters)]
            request = TurnRequest(messages=[User("go")], tools=tools, calls="required", max_calls=2, max_tokens=700)
            sampling = ResolvedSampling(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.0, seed=seed)
            outcome = asyncio.run(engine.run(form.prompt(request), form.script(request), sampling=sampling))
            assert outcome.value.stop == "calls", (properties, outcome.value)
            for piece in outcome.value.pieces:
                jsonschema.validate(piece.arguments, parameters)  # type: ignore[union-attr]
                count += 1
    engine.close()
    assert count >= 27
