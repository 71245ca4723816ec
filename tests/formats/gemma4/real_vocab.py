"""Gemma 4's own vocabulary of 262,144 tokens, which llama.cpp keeps for its tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

from agentkit.model_backend.engine.native import Model, lib
from agentkit.model_backend.engine.vocab import Vocab

_SOURCE = "llama-cpp-python==0.3.36"
_MEMBER = "vendor/llama.cpp/models/ggml-vocab-gemma-4.gguf"


def vocabulary_file(cache: Path) -> Path:
    """Returns the file, after taking it from the source distribution of llama-cpp-python if it is not there yet."""
    path = cache / "ggml-vocab-gemma-4.gguf"
    if not path.exists():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "llama-cpp-python"]
        subprocess.run([*command, "-d", str(cache), _SOURCE], check=True, timeout=600)
        archive = next(cache.glob("llama_cpp_python-*.tar.gz"))
        with tarfile.open(archive) as files:
            member = next(name for name in files.getnames() if name.endswith(_MEMBER))
            content = files.extractfile(member)
            assert content
            path.write_bytes(content.read())
        archive.unlink()
    return path


class VocabularyOnly(Model):
    """A file without weights."""

    def __init__(self, path: Path) -> None:
        params = lib.llama_model_default_params()
        params.vocab_only = True
        self.pointer = lib.llama_model_load_from_file(os.fsencode(path), params)
        assert self.pointer
        self.vocab = lib.llama_model_get_vocab(self.pointer)
        self.vocab_size = int(lib.llama_vocab_n_tokens(self.vocab))


def load_vocabulary(path: Path) -> tuple[VocabularyOnly, Vocab]:
    """Returns the model, to be freed at the end, and its vocabulary."""
    model = VocabularyOnly(path)
    return model, Vocab(model)
