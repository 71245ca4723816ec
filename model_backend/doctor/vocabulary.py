"""What can be tried with a file's vocabulary and without its weights: tokens, template, grammars."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentkit.errors import ModelError
from agentkit.model_backend.doctor.chat_template import check_chat_template
from agentkit.model_backend.doctor.findings import Finding, quoted, shortened
from agentkit.model_backend.doctor.gemma_template import check_gemma_template, check_generation, check_thinking
from agentkit.model_backend.doctor.grammars import check_grammars
from agentkit.model_backend.doctor.tokens import (
    check_control_tokens,
    check_round_trip,
    check_stop_tokens,
    check_suppressed,
    file_tokens,
)
from agentkit.model_backend.engine.files import check_file
from agentkit.model_backend.engine.native import Model
from agentkit.model_backend.engine.vocab import Vocab
from agentkit.model_backend.formats import Format, format_for
from agentkit.model_backend.formats.chat_template import ChatTemplateFormat
from agentkit.model_backend.formats.gemma4 import Gemma4Format
from agentkit.model_backend.formats.gemma4_tokens import FUNCTION_GEMMA, GEMMA4, TokenTable
from agentkit.model_backend.gguf_header import GgufHeader, check_gguf
from agentkit.model_backend.loading import find_file

__all__ = ["check_vocabulary"]

_TEMPLATE = "tokenizer.chat_template"


def check_vocabulary(path: Path) -> Iterator[Finding | str]:
    """Yields findings, and the name of each stage as it begins.

    Raises:
        agentkit.errors.ModelUnavailable: llama.cpp can't be given the file, or refuses it.
        agentkit.errors.ModelError: Grammars can't be used with the vocabulary.
    """
    yield "reading the vocabulary"
    check_file(path)
    header = check_gguf(path)
    if not isinstance(header.metadata.get(_TEMPLATE, ""), str):
        message = f"{_TEMPLATE!r} holds {quoted(str(header.metadata[_TEMPLATE]))}, which is no text"
        yield Finding("template", "problem", message, "get another conversion")
        return
    table = _table(header)
    if table is not None:
        findings = list(check_control_tokens(table, file_tokens(path, header), _size(header)))
        yield from findings
        if any(finding.level == "problem" for finding in findings):
            return
    model = Model(path, vocabulary_only=True)
    try:
        vocab = Vocab(model)
        yield from check_round_trip(vocab, str(header.metadata["general.architecture"]))
        yield check_stop_tokens(vocab, table)
        if suppressed := check_suppressed(vocab):
            yield suppressed
        yield "reading the template"
        try:
            form = format_for(vocab)
            yield from _check_format(form, vocab, header, path)
        except ModelError as error:
            advice = "get the file from its publisher, or take another conversion"
            yield Finding("template", "problem", shortened(str(error), 400), advice)
            return
        yield "trying the grammars"
        yield from check_grammars(form, vocab)
        vocab.close()
    finally:
        model.free()


def _check_format(form: Format, vocab: Vocab, header: GgufHeader, path: Path) -> Iterator[Finding]:
    said = {
        "gemma4": "Gemma 4's own: prompts and calls on token ids",
        "functiongemma": "FunctionGemma's own: prompts and calls on token ids",
        "chat-template": "the file's chat template, and calls as JSON in its style",
        "plain": "plain text, as there is no template",
    }
    yield Finding("format", "ok", said.get(form.name, form.name), data={"format": form.name, "thinks": form.thinks})
    if isinstance(form, ChatTemplateFormat):
        yield from check_chat_template(form, vocab)
        form.close()
    elif isinstance(form, Gemma4Format) and form.alphabet.table is GEMMA4:
        _, entry = find_file(path)
        yield check_thinking(form, entry.thinking_off if entry else None)
        yield check_generation(form)
        source = header.metadata.get(_TEMPLATE)
        if isinstance(source, str) and source:
            yield from check_gemma_template(form, vocab, source)


def _table(header: GgufHeader) -> TokenTable | None:
    """The control tokens that the format of this file needs, as `format_for` chooses it."""
    if header.metadata["general.architecture"] == "gemma4":
        return GEMMA4
    source = header.metadata.get(_TEMPLATE)
    return FUNCTION_GEMMA if isinstance(source, str) and "<start_function_call>" in source else None


def _size(header: GgufHeader) -> int:
    size = header.metadata.get("tokenizer.ggml.tokens")
    return size if isinstance(size, int) else 0
