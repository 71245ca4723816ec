"""Control tokens, stop tokens, and whether the vocabulary gives text back as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agentkit.messages import JsonObject
from agentkit.model_backend.doctor.findings import Finding, plural, quoted
from agentkit.model_backend.engine.vocab import Vocab
from agentkit.model_backend.formats.gemma4_tokens import GEMMA4, Mark, TokenTable
from agentkit.model_backend.gguf_arrays import read_numbers, read_strings
from agentkit.model_backend.gguf_header import GgufHeader

__all__ = [
    "FileToken",
    "check_control_tokens",
    "check_round_trip",
    "check_stop_tokens",
    "check_suppressed",
    "file_tokens",
]

_CONTROL, _USER = 3, 4
_TYPES = {1: "normal", 2: "unknown", _CONTROL: "control", _USER: "user-defined", 5: "unused", 6: "byte"}
_USER_MARKS = (
    Mark.CALL,
    Mark.CALL_END,
    Mark.RESPONSE,
    Mark.RESPONSE_END,
    Mark.QUOTE,
    Mark.CHANNEL,
    Mark.CHANNEL_END,
)
"""What Google's own files mark as user-defined; everything else there is a control token."""
_VOCABULARY = 262_144
_IDS: Mapping[Mark, int] = {
    Mark.TOOL: 46,
    Mark.TOOL_END: 47,
    Mark.CALL: 48,
    Mark.CALL_END: 49,
    Mark.RESPONSE: 50,
    Mark.RESPONSE_END: 51,
    Mark.QUOTE: 52,
    Mark.THINK: 98,
    Mark.CHANNEL: 100,
    Mark.CHANNEL_END: 101,
    Mark.TURN: 105,
    Mark.TURN_END: 106,
}
"""Ids in Gemma 4's own vocabulary."""
_SAMPLE = 'Hello, wörld! 日本語 🎈 {"a": [1, -2.5]}\n\n\tx = "it\'s"  # <b>\n'
_LISTED = 12


@dataclass(frozen=True, slots=True)
class FileToken:
    """A token as the file has it, before llama.cpp mends what it knows to be wrong."""

    id: int
    kind: int
    """GGUF's token type."""


def file_tokens(path: Path, header: GgufHeader) -> dict[str, FileToken]:
    """Returns the file's tokens by text, those that are no plain text only, and those of the Gemma 4 table."""
    texts, kinds = (header.arrays.get(f"tokenizer.ggml.{key}") for key in ("tokens", "token_type"))
    if texts is None:
        return {}
    listed = read_numbers(path, kinds) if kinds else []
    wanted = {text.encode() for text in (*GEMMA4.texts.values(), *GEMMA4.others)}
    found: dict[str, FileToken] = {}
    for number, text in enumerate(read_strings(path, texts)):
        kind = int(listed[number]) if number < len(listed) else 1
        if kind in (_CONTROL, _USER) or text in wanted:
            found[text.decode("utf-8", "replace")] = FileToken(number, kind)
    return found


def check_control_tokens(table: TokenTable, tokens: Mapping[str, FileToken], size: int) -> Iterator[Finding]:
    """Yields what is wrong or unusual about the control tokens that a Gemma format needs.

    Args:
        table: The tokens that the format needs.
        tokens: The tokens of the file.
        size: Number of tokens in the vocabulary.
    """
    texts = table.texts
    missing = [text for text in texts.values() if text not in tokens]
    plain = [text for text in texts.values() if text in tokens and tokens[text].kind not in (_CONTROL, _USER)]
    data: JsonObject = {
        "ids": {text: tokens[text].id for text in (*texts.values(), *table.others) if text in tokens},
        "missing": missing,
        "plain": plain,
    }
    if missing or plain:
        faults = [(missing, "missing"), (plain, "there as ordinary text")]
        said = "; ".join(f"{what}: {', '.join(map(quoted, which))}" for which, what in faults if which)
        yield Finding(
            "control tokens",
            "problem",
            f"of the {len(texts)} that the {table.name!r} format needs, {said}",
            "the file is damaged or was converted by an old tool; take one from its publisher",
            data=data,
        )
        return
    shown = ", ".join(f"{text} {tokens[text].id}" for text in texts.values())
    yield Finding("control tokens", "ok", f"all {len(texts)} are there: {shown}", data=data)
    if table is GEMMA4:
        yield from _differences(tokens, size)


def _differences(tokens: Mapping[str, FileToken], size: int) -> Iterator[Finding]:
    """What differs from Google's files and does no harm here."""
    texts = GEMMA4.texts
    user = {texts[mark] for mark in _USER_MARKS}
    expected = {text: _USER if text in user else _CONTROL for text in (*texts.values(), *GEMMA4.others)}
    other = {text: tokens[text].kind for text, kind in expected.items() if text in tokens and tokens[text].kind != kind}
    if other:
        listed = ", ".join(f"{text} {_TYPES.get(kind, kind)}" for text, kind in list(other.items())[:_LISTED])
        yield Finding(
            "token types",
            "note",
            f"{plural(len(other), 'control token')} marked otherwise than in Google's files: {listed}. "
            "agentkit goes by ids, so nothing changes here; other programs may hide or show them",
            data={"types": {text: _TYPES.get(kind, str(kind)) for text, kind in other.items()}},
        )
    absent = [text for text in GEMMA4.others if text not in tokens]
    if absent:
        message = f"the vocabulary has no {', '.join(absent)}; agentkit has no use for them"
        yield Finding("token types", "note", message, data={"absent": absent})
    moved = {texts[mark]: tokens[texts[mark]].id for mark, id in _IDS.items() if tokens[texts[mark]].id != id}
    if moved and size == _VOCABULARY:
        listed = ", ".join(f"{text} {id}" for text, id in moved.items())
        yield Finding("token ids", "warning", f"not those of Gemma 4: {listed}", "compare with its publisher's file")


def check_stop_tokens(vocab: Vocab, table: TokenTable | None) -> Finding:
    """Returns whether generation stops where it should."""
    stops = {token: _text(vocab, token) for token in sorted(vocab.eog)}
    listed = ", ".join(f"{text} {token}" for token, text in stops.items())
    data: JsonObject = {"stop": {text: token for token, text in stops.items()}}
    if not stops:
        message = "none: the model can't end its turn"
        return Finding("stop tokens", "problem", message, "get a conversion whose metadata names them", data=data)
    if table is None:
        return Finding("stop tokens", "ok", listed, data=data)
    expected = {"<eos>", table.texts[Mark.RESPONSE], table.texts[Mark.TURN_END]}
    missing, extra = sorted(expected.difference(stops.values())), sorted(set(stops.values()) - expected)
    data |= {"missing": missing, "extra": extra}
    if missing:
        said = f"{', '.join(missing)} missing from {listed}: turns run on where they should end"
        return Finding("stop tokens", "problem", said, "take a newer conversion from its publisher", data=data)
    if extra:
        message = f"{listed}; {', '.join(extra)} can end a turn too, which is not expected"
        return Finding("stop tokens", "note", message, data=data)
    return Finding("stop tokens", "ok", listed, data=data)


def check_suppressed(vocab: Vocab) -> Finding | None:
    """Returns which tokens the file says must never be sampled."""
    if not vocab.suppressed:
        return None
    texts = [_text(vocab, token) for token in sorted(vocab.suppressed)]
    shown = ", ".join(texts[:_LISTED]) + (", ..." if len(texts) > _LISTED else "")
    message = f"{plural(len(texts), 'token')} never sampled, because the file says so: {shown}"
    return Finding("suppressed", "ok", message, data={"tokens": sorted(vocab.suppressed)})


def check_round_trip(vocab: Vocab, architecture: str) -> Iterator[Finding]:
    """Yields whether text comes back as it was, and whether a text begins as the family needs it."""
    tokens = vocab.tokenize(_SAMPLE, special=False)
    back = vocab.detokenize(tokens)
    data: JsonObject = {"tokens": len(tokens), "size": vocab.size}
    if back.lstrip() == _SAMPLE:
        yield Finding("vocabulary", "ok", f"{vocab.size:,} tokens; text comes back as it was", data=data)
    else:
        yield Finding(
            "vocabulary",
            "problem",
            f"{vocab.size:,} tokens, and text does not come back as it was: {quoted(_SAMPLE)} became {quoted(back)}",
            "the tokenizer's data are damaged (merges, byte tokens): get another conversion",
            data=data,
        )
    if vocab.bos is None and architecture.startswith("gemma"):
        message = "the file names no begin-of-text token, and Gemma writes nonsense without one"
        yield Finding("vocabulary", "problem", message, "get another conversion")


def _text(vocab: Vocab, token: int) -> str:
    return vocab.piece(token).decode("utf-8", "replace") or f"[{token}]"
