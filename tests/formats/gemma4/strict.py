"""A second reader of calls, short and strict: what it reads is written exactly as the format has it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from agentkit.model_backend.constraint.keywords import is_array, is_object
from agentkit.model_backend.formats.gemma4_tokens import Alphabet, Mark

_BETWEEN_STRINGS = re.compile(r"([{,]\s*)([^\s{}\[\]:,\"'][^{}\[\]:,\"']*?)\s*:")


def read_strictly(alphabet: Alphabet, tokens: Sequence[int]) -> tuple[str, dict[str, Any]]:
    """Returns name and arguments of a call; ValueError for anything not written by the book."""
    quote, first, last = (alphabet.ids[mark] for mark in (Mark.QUOTE, Mark.CALL, Mark.CALL_END))
    if tokens[0] != first or tokens[-1] != last:
        raise ValueError("not between call tokens")
    runs: list[list[int]] = [[]]
    for token in tokens[1:-1]:
        if token == quote:
            runs.append([])
        elif token in alphabet.marks:
            raise ValueError("control token inside")
        else:
            runs[-1].append(token)
    texts = [alphabet.decode(run) for run in runs]
    # Strings are every second run. They wait in a list while keys get their quotes.
    source = "".join(f'"{i}"' if i % 2 else text for i, text in enumerate(texts))
    head = re.match(r"\s*call:\s*([\w.\-]+)\s*", source)
    if not head or not len(texts) % 2:
        raise ValueError("not a call")
    body = _BETWEEN_STRINGS.sub(lambda m: f'{m[1]}"-{m[2].strip()}":', source[head.end() :])
    return head[1], _with_strings(json.loads(body), texts)


def _with_strings(value: Any, texts: Sequence[str]) -> Any:
    if isinstance(value, str):
        return value[1:] if value.startswith("-") else texts[int(value)]
    if is_array(value):
        return [_with_strings(item, texts) for item in value]
    if is_object(value):
        return {_with_strings(key, texts): _with_strings(item, texts) for key, item in value.items()}
    return value
