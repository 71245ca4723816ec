"""A damaged or hostile file gives a finding within seconds: never a crash, never a hang."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agentkit.cli.main import execute
from tests.catalog.crafted import ARCHITECTURE, gguf, pair, scalar
from tests.doctor.conftest import findings
from tests.doctor.damage import Parts, numbers, strings

SECONDS = 60.0
"""Far more than any case takes on a machine with nothing else to do."""

TOKENIZER = "tokenizer.ggml."
TEMPLATE = "tokenizer.chat_template"
TOKENS = 418

LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
CLASSES = '{{ "".__class__.__mro__[1].__subclasses__() }}'
GLOBALS = '{{ cycler.__init__.__globals__.os.popen("id").read() }}'

Case = tuple[Callable[[Parts], bytes], str]

HEADERS: dict[str, Case] = {
    "zero length": (lambda parts: b"", "is empty"),
    "not a GGUF": (lambda parts: b"\x7fELF" + bytes(100), "is not a GGUF file"),
    "version 99": (lambda parts: parts.assembled(version=99), "version 99"),
    "big-endian": (lambda parts: parts.assembled(version=3 << 24), "big-endian"),
    "cut in the header": (lambda parts: parts.assembled()[:500], "truncated"),
    "cut in the vocabulary": (lambda parts: parts.assembled()[:6000], "truncated"),
    "cut in the tensors": (lambda parts: parts.assembled()[:-1], "Download it again"),
    "2**63 keys": (lambda parts: parts.assembled(pair_count=1 << 63), "not a plausible model file"),
    "2**63 tensors": (lambda parts: parts.assembled(tensor_count=1 << 63), "not a plausible model file"),
    "a text of 2**62 bytes": (lambda parts: gguf(pair("k", 8, (1 << 62).to_bytes(8, "little"))), "bytes for 'k'"),
    "a tensor of 2**99 numbers": (
        lambda parts: parts.with_shape("token_embd.weight", (1 << 33, 1 << 33, 1 << 33)).assembled(),
        "the shape",
    ),
    "no architecture": (lambda parts: parts.with_pair("general.architecture", None).assembled(), "its architecture"),
    "an architecture that is a number": (
        lambda parts: gguf(scalar("general.architecture", 4, "<I", 7)),
        "its architecture",
    ),
    "an encoder": (lambda parts: parts.with_text("general.architecture", "clip").assembled(), "does not write"),
    "nothing but a tensor": (lambda parts: gguf(ARCHITECTURE), "context that it was trained for"),
    "a context of 2**32 - 1": (
        lambda parts: parts.with_number("gemma4.context_length", 0xFFFFFFFF).assembled(),
        "'4294967295' about the context",
    ),
    "a context in words": (
        lambda parts: parts.with_text("gemma4.context_length", "many").assembled(),
        "'many' about the context",
    ),
}

VOCABULARIES: dict[str, Case] = {
    "an unknown architecture": (
        lambda parts: parts.with_text("general.architecture", "gemma4x").assembled(),
        "about the context",
    ),
    "no vocabulary": (lambda parts: parts.with_pair(TOKENIZER + "tokens", None).assembled(), "missing: '<|tool>'"),
    "numbers as tokens": (
        lambda parts: parts.with_pair(TOKENIZER + "tokens", numbers(TOKENIZER + "tokens", [1] * TOKENS)).assembled(),
        "missing: '<|tool>'",
    ),
    "a token twice": (
        lambda parts: replace(parts, pairs=_swapped(parts, b"<0x41>", b"<0x42>")).assembled(),
        "'<0x42>' twice",
    ),
    "fewer tokens than types": (
        lambda parts: replace(
            parts,
            pairs={**parts.pairs, TOKENIZER + "tokens": strings(TOKENIZER + "tokens", ["<bos>", "a", "b"])},
        ).assembled(),
        "missing: '<|tool>'",
    ),
    "fewer types than tokens": (
        lambda parts: parts.with_pair(
            TOKENIZER + "token_type", numbers(TOKENIZER + "token_type", [3] * 24)
        ).assembled(),
        "Index out of array bounds for toktypes",
    ),
    "types that are no numbers": (
        lambda parts: parts.with_text(TOKENIZER + "token_type", "control").assembled(),
        "as ordinary text: '<|tool>'",
    ),
    "scores of another type": (
        lambda parts: parts.with_pair(
            TOKENIZER + "scores", numbers(TOKENIZER + "scores", [0] * TOKENS, "<B", 0)
        ).assembled(),
        "invalid gguf type",
    ),
    "no merges": (
        lambda parts: parts.with_pair(TOKENIZER + "merges", None).assembled(),
        "cannot find tokenizer merges",
    ),
    "an unknown tokenizer": (lambda parts: parts.with_text(TOKENIZER + "model", "magic").assembled(), "'magic'"),
    "no tokenizer": (lambda parts: parts.with_pair(TOKENIZER + "model", None).assembled(), "tokenizer.ggml.model"),
    "a begin token beyond the vocabulary": (
        lambda parts: parts.with_number(TOKENIZER + "bos_token_id", 10**9).assembled(),
        "no begin-of-text token",
    ),
    "a token of a megabyte": (
        lambda parts: replace(parts, pairs=_swapped(parts, b"<|video|>", b"x" * 1_000_000)).assembled(),
        "grammars can't be used",
    ),
    "a template that never ends": (lambda parts: parts.with_text(TEMPLATE, LOOP).assembled(), "took longer than"),
    "a template that looks for classes": (
        lambda parts: parts.with_text(TEMPLATE, CLASSES).assembled(),
        "SecurityError",
    ),
    "a template that looks for globals": (
        lambda parts: parts.with_text(TEMPLATE, GLOBALS).assembled(),
        "SecurityError",
    ),
    "a template that raises": (
        lambda parts: parts.with_text(TEMPLATE, "{{ raise_exception('no') }}").assembled(),
        "it refuses it",
    ),
    "a template that is none": (lambda parts: parts.with_text(TEMPLATE, "{% if %}").assembled(), "can't be read"),
    "a template that calls itself": (
        lambda parts: parts.with_text(TEMPLATE, "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").assembled(),
        "calls itself without end",
    ),
    "a template that fills the memory": (
        lambda parts: parts.with_text(TEMPLATE, "{{ 'x' * 10**10 }}").assembled(),
        "too much memory",
    ),
    "a template that is a number": (lambda parts: parts.with_number(TEMPLATE, 7).assembled(), "is no text"),
}

WEIGHTS: dict[str, Case] = {
    "2**31 layers": (
        lambda parts: parts.with_number("gemma4.block_count", 1 << 31).assembled(),
        "SIGABRT while loading",
    ),
    "no layers": (lambda parts: parts.with_number("gemma4.block_count", 0).assembled(), "SIGABRT while loading"),
    "another width than the tensors'": (
        lambda parts: parts.with_number("gemma4.embedding_length", 128).assembled(),
        "has wrong shape",
    ),
    "a tensor of another shape": (
        lambda parts: parts.with_shape("token_embd.weight", (32, 2 * TOKENS)).assembled(),
        "has wrong shape",
    ),
    "a tensor under another name": (lambda parts: parts.renamed("blk.3.attn_q.weight", "x").assembled(), "not found"),
    "rotation beyond the heads": (
        lambda parts: parts.with_number("gemma4.rope.dimension_count", 1 << 20).assembled(),
        "GGML_ASSERT",
    ),
    "a norm that is not a number": (
        lambda parts: parts.with_number("gemma4.attention.layer_norm_rms_epsilon", float("nan"), "<f", 6).assembled(),
        "SIGABRT while decoding",
    ),
    "weights that are not numbers": (
        lambda parts: parts.filled("blk.0.ffn_up.weight", float("nan")).assembled(),
        "no usable numbers",
    ),
    "weights without end": (lambda parts: parts.filled("output.weight", float("inf")).assembled(), "no usable numbers"),
    "weights that are all zero": (
        lambda parts: replace(parts, data=bytes(len(parts.data))).assembled(),
        "nothing but zeros",
    ),
    "heads that no memory holds": (
        lambda parts: parts.with_number("gemma4.attention.key_length", 1 << 31).assembled(),
        "A context of 0 tokens fits",
    ),
}


@pytest.mark.parametrize(
    ("build", "says"), [pytest.param(*v, id=k) for k, v in (HEADERS | VOCABULARIES | WEIGHTS).items()]
)
def test_a_bad_file_is_a_problem_that_is_named(
    parts: Parts, tmp_path: Path, build: Callable[[Parts], bytes], says: str
) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(build(parts))
    start = time.monotonic()
    problems = [finding for finding in findings(path) if finding.level == "problem"]
    assert time.monotonic() - start < SECONDS
    assert problems
    assert any(says in finding.message for finding in problems), problems
    for finding in problems:
        assert finding.advice
        assert len(finding.message) < 1000


@pytest.mark.parametrize("case", ["cut in the tensors", "a template that looks for globals"])
def test_the_command_ends_with_1_for_a_bad_file(
    parts: Parts, tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes((HEADERS | VOCABULARIES)[case][0](parts))
    assert execute(["doctor", str(path)]) == 1
    out, err = capsys.readouterr()
    assert "problem" in out
    assert "Traceback" not in out + err


def test_a_template_that_loops_in_another_format_is_a_problem_too(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    changed = parts.of_another_family().with_text(TEMPLATE, LOOP)
    path.write_bytes(changed.assembled())
    (problem,) = [finding for finding in findings(path, quick=True) if finding.level == "problem"]
    assert (problem.topic, "took longer than" in problem.message) == ("template", True)


def _swapped(parts: Parts, old: bytes, new: bytes) -> dict[str, bytes]:
    """The metadata with another token in the place of one."""
    key = TOKENIZER + "tokens"
    before, after = (len(text).to_bytes(8, "little") + text for text in (old, new))
    assert before in parts.pairs[key]
    return {**parts.pairs, key: parts.pairs[key].replace(before, after)}
