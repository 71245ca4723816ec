"""Builds tiny Gemma 4 GGUFs with random weights: real files for llama.cpp, made in a moment, without a download.

Their answers mean nothing; their shapes do. Each has a sliding window, a byte-complete vocabulary, and
all control tokens of Gemma 4 (under other ids than the real models have: look them up by text).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import gguf
import numpy as np
from numpy.typing import NDArray

__all__ = ["CONTROL_TOKENS", "TinyKind", "build_tiny_gguf"]

TinyKind: TypeAlias = Literal["dense", "moe", "ple"]
"""``dense``: full layers use their keys as values (12B, 31B); ``moe``: experts (26B-A4B);
``ple``: per-layer embeddings, and last layers that share keys and values (E2B, E4B)."""

_NORMAL, _CONTROL, _USER, _BYTE = 1, 3, 4, 6  # llama.cpp's token types

_SPECIAL = (
    ("<pad>", _CONTROL), ("<eos>", _CONTROL), ("<bos>", _CONTROL), ("<unk>", _CONTROL), ("<mask>", _CONTROL),
    ("<|tool>", _CONTROL), ("<tool|>", _CONTROL),
    ("<|tool_call>", _USER), ("<tool_call|>", _USER), ("<|tool_response>", _USER), ("<tool_response|>", _USER),
    ('<|"|>', _USER), ("<|think|>", _CONTROL), ("<|channel>", _USER), ("<channel|>", _USER),
    ("<|turn>", _CONTROL), ("<turn|>", _CONTROL),
    ("<|image>", _CONTROL), ("<image|>", _CONTROL), ("<|audio>", _CONTROL), ("<audio|>", _CONTROL),
    ("<|image|>", _CONTROL), ("<|audio|>", _CONTROL), ("<|video|>", _CONTROL),
)  # fmt: skip

CONTROL_TOKENS: tuple[str, ...] = tuple(text for text, _ in _SPECIAL)
"""The texts of all control tokens in the vocabulary; a token's id is its index here."""

_WORDS = ("thought", "call", "response", "system", "user", "model", "true", "false", "null", "value")

_EMBEDDING, _FEED_FORWARD, _HEADS, _HEAD_FULL, _HEAD_SWA = 64, 128, 2, 64, 32
_EXPERTS, _EXPERT_FEED_FORWARD, _PER_LAYER = 4, 32, 16
_LAYERS = 6
_SLIDING = tuple(layer % 2 == 0 for layer in range(_LAYERS))  # the last layer must be full


@dataclass(frozen=True)
class _Vocabulary:
    tokens: list[str]
    types: list[int]
    merges: list[str]


def _vocabulary() -> _Vocabulary:
    """Control tokens, all bytes, printable ASCII, and a few words with their prefixes as merges."""
    tokens = [text for text, _ in _SPECIAL] + [f"<0x{byte:02X}>" for byte in range(256)]
    types = [kind for _, kind in _SPECIAL] + [_BYTE] * 256
    normal = ["\n", "\u2581", *map(chr, range(33, 127))]
    merges: list[str] = []
    for word in _WORDS:
        for end in range(2, len(word) + 1):
            merge = f"{word[: end - 1]} {word[end - 1]}"
            if merge not in merges:
                merges.append(merge)
                normal.append(word[:end])
    return _Vocabulary(tokens + normal, types + [_NORMAL] * len(normal), merges)


def build_tiny_gguf(
    path: Path,
    *,
    kind: TinyKind = "dense",
    window: int = 64,
    context: int = 4096,
    template: str | None = None,
    seed: int = 0,
    suppress: Sequence[int] = (),
) -> Path:
    """Writes a tiny model and returns its path. Equal arguments give equal bytes.

    Args:
        path: The file to write.
        kind: Which of Gemma 4's shapes.
        window: Sliding window, in tokens.
        context: Context length the file claims to be trained for, in tokens.
        template: Chat template to store in the file.
        seed: Of the random weights.
        suppress: Token ids the file says must never be sampled.
    """
    writer = gguf.GGUFWriter(str(path), "gemma4")
    writer.add_name(f"tiny-gemma4-{kind}")
    _add_shape(writer, kind, window, context)
    vocabulary = _vocabulary()
    _add_vocabulary(writer, vocabulary)
    if template is not None:
        writer.add_chat_template(template)
    if suppress:
        writer.add_array("tokenizer.ggml.suppress_tokens", list(suppress))
    for name, tensor in _tensors(kind, len(vocabulary.tokens), np.random.default_rng(seed)):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shared_layers(kind: TinyKind) -> int:
    return 2 if kind == "ple" else 0


def _add_shape(writer: gguf.GGUFWriter, kind: TinyKind, window: int, context: int) -> None:
    writer.add_context_length(context)
    writer.add_block_count(_LAYERS)
    writer.add_embedding_length(_EMBEDDING)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv([1] * _LAYERS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_key_length(_HEAD_FULL)
    writer.add_value_length(_HEAD_FULL)
    writer.add_key_length_swa(_HEAD_SWA)
    writer.add_value_length_swa(_HEAD_SWA)
    writer.add_rope_dimension_count(_HEAD_FULL)
    writer.add_rope_dimension_count_swa(_HEAD_SWA)
    writer.add_rope_freq_base(1e6)
    writer.add_float32("gemma4.rope.freq_base_swa", 1e4)
    writer.add_sliding_window(window)
    writer.add_sliding_window_pattern(list(_SLIDING))
    writer.add_shared_kv_layers(_shared_layers(kind))
    writer.add_embedding_length_per_layer_input(_PER_LAYER if kind == "ple" else 0)
    writer.add_final_logit_softcapping(30.0)
    if kind == "moe":
        writer.add_expert_count(_EXPERTS)
        writer.add_expert_used_count(2)
        writer.add_expert_feed_forward_length(_EXPERT_FEED_FORWARD)


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: _Vocabulary) -> None:
    writer.add_tokenizer_model("gemma4")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_scores([0.0] * len(vocabulary.tokens))
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_pad_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_unk_token_id(3)
    writer.add_mask_token_id(4)
    writer.add_add_space_prefix(False)
    writer.add_add_bos_token(True)


Tensors: TypeAlias = Iterator[tuple[str, NDArray[np.float16] | NDArray[np.float32]]]


def _tensors(kind: TinyKind, vocabulary: int, rng: np.random.Generator) -> Tensors:
    yield "token_embd.weight", _random(rng, vocabulary, _EMBEDDING)
    # With the output tied to the embedding a random model repeats its last token for ever.
    yield "output.weight", _random(rng, vocabulary, _EMBEDDING, spread=0.3)
    yield "output_norm.weight", _ones(_EMBEDDING)
    rotated = _HEAD_FULL // 8  # a quarter of the head's pairs are rotated
    yield "rope_freqs.weight", np.array([1.0] * rotated + [1e30] * (_HEAD_FULL // 2 - rotated), np.float32)
    if kind == "ple":
        yield "per_layer_token_embd.weight", _random(rng, vocabulary, _PER_LAYER * _LAYERS)
        yield "per_layer_model_proj.weight", _random(rng, _PER_LAYER * _LAYERS, _EMBEDDING)
        yield "per_layer_proj_norm.weight", _ones(_PER_LAYER)
    for layer in range(_LAYERS):
        parts = [_attention(kind, layer, rng), _feed_forward(rng)]
        if kind == "ple":
            parts.append(_per_layer(rng))
        if kind == "moe":
            parts.append(_experts(rng))
        for part in parts:
            for name, tensor in part:
                yield f"blk.{layer}.{name}", tensor


def _attention(kind: TinyKind, layer: int, rng: np.random.Generator) -> Tensors:
    head = _HEAD_SWA if _SLIDING[layer] else _HEAD_FULL
    yield "attn_norm.weight", _ones(_EMBEDDING)
    yield "attn_q.weight", _random(rng, _HEADS * head, _EMBEDDING)
    yield "attn_q_norm.weight", _ones(head)
    yield "attn_output.weight", _random(rng, _EMBEDDING, _HEADS * head)
    yield "post_attention_norm.weight", _ones(_EMBEDDING)
    yield "layer_output_scale.weight", _ones(1)
    if layer < _LAYERS - _shared_layers(kind):
        yield "attn_k.weight", _random(rng, head, _EMBEDDING)
        yield "attn_k_norm.weight", _ones(head)
        if kind != "dense" or _SLIDING[layer]:  # without attn_v, llama.cpp takes the keys as values
            yield "attn_v.weight", _random(rng, head, _EMBEDDING)


def _feed_forward(rng: np.random.Generator) -> Tensors:
    yield "ffn_norm.weight", _ones(_EMBEDDING)
    yield "ffn_gate.weight", _random(rng, _FEED_FORWARD, _EMBEDDING)
    yield "ffn_up.weight", _random(rng, _FEED_FORWARD, _EMBEDDING)
    yield "ffn_down.weight", _random(rng, _EMBEDDING, _FEED_FORWARD)
    yield "post_ffw_norm.weight", _ones(_EMBEDDING)


def _per_layer(rng: np.random.Generator) -> Tensors:
    yield "inp_gate.weight", _random(rng, _PER_LAYER, _EMBEDDING)
    yield "proj.weight", _random(rng, _EMBEDDING, _PER_LAYER)
    yield "post_norm.weight", _ones(_EMBEDDING)


def _experts(rng: np.random.Generator) -> Tensors:
    yield "ffn_gate_inp.weight", _random(rng, _EXPERTS, _EMBEDDING).astype(np.float32)
    yield "ffn_gate_inp.scale", _ones(_EMBEDDING)
    yield "pre_ffw_norm_2.weight", _ones(_EMBEDDING)
    yield "post_ffw_norm_1.weight", _ones(_EMBEDDING)
    yield "post_ffw_norm_2.weight", _ones(_EMBEDDING)
    yield "ffn_gate_up_exps.weight", _random(rng, _EXPERTS, 2 * _EXPERT_FEED_FORWARD, _EMBEDDING)
    yield "ffn_down_exps.weight", _random(rng, _EXPERTS, _EMBEDDING, _EXPERT_FEED_FORWARD)
    yield "ffn_down_exps.scale", _ones(_EXPERTS)


def _random(rng: np.random.Generator, *shape: int, spread: float = 0.05) -> NDArray[np.float16]:
    return rng.normal(0.0, spread, shape).astype(np.float16)


def _ones(size: int) -> NDArray[np.float32]:
    return np.ones(size, np.float32)
