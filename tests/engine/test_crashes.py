"""What ends the process in llama.cpp is an error here. The risky things are done in a child process."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentkit.errors import ModelUnavailable
from agentkit.model_backend.engine import Engine
from tests.engine.conftest import run_child

PRELUDE = """
import asyncio, gc, sys, threading
from pathlib import Path
from agentkit.errors import *
from agentkit.model_backend.engine import *
from agentkit.model_backend.engine.native import *
from agentkit.model_backend.script import *
path = Path(sys.argv[1])

def refused(call, *errors):
    try:
        call()
    except errors:
        return
    raise SystemExit(f"not refused: {call}")

def script(*segments):
    for segment in segments:
        yield segment

def run(engine, *segments, prompt=(2, 30)):
    return asyncio.run(engine.run(list(prompt), script(*segments), sampling=ResolvedSampling(temperature=1.0)))

def open_context(model):
    return Context(model, context=256, sequences=2, batch=32, threads=1, full_window=False, flash=False)
"""

CASES = {
    "an empty batch": """
context = open_context(Model(path))
refused(lambda: context.decode([]), ModelError)
refused(lambda: context.decode([Chunk(0, 0, [], True)]), ModelError)
""",
    "token ids outside of the vocabulary": """
context = open_context(Model(path))
for token in (-1, 418, 2**31 - 1):
    refused(lambda: context.decode([Chunk(0, 0, [2, token], True)]), ModelError)
assert context.decode([Chunk(0, 0, [2, 30], True)])[0] is not None
engine = Engine.load(path)
for token in (-1, 418, 2**40):
    refused(lambda: engine.vocab.piece(token), UsageError)
engine.close()
""",
    "a sequence that was not asked for": """
context = open_context(Model(path))
refused(lambda: context.decode([Chunk(2, 0, [2], True)]), ModelError)
refused(lambda: context.decode([Chunk(-1, 0, [2], True)]), ModelError)
""",
    "more tokens than a batch holds": """
context = open_context(Model(path))
refused(lambda: context.decode([Chunk(0, 0, [2] * 33, True)]), ModelError)
refused(lambda: context.decode([Chunk(0, 0, [2] * 20, True), Chunk(1, 0, [2] * 20, True)]), ModelError)
""",
    "decoding beyond the context": """
context = open_context(Model(path))
for start in range(0, 256, 32):
    context.decode([Chunk(0, start, [30] * 32, False)])
refused(lambda: context.decode([Chunk(0, 256, [30], True)]), ModelError)
refused(lambda: context.decode([Chunk(1, 0, [30], True)]), NoRoom)
engine = Engine.load(path, EngineSettings(context=256))
run(engine, Free(max_tokens=10**9, ban=(1, 9, 16)))
engine.close()
""",
    "a part of a sequence copied to another": """
context = open_context(Model(path))
context.decode([Chunk(0, 0, [30] * 32, False)])
context.share(0, 1, 20)
assert context.decode([Chunk(1, 20, [31], True)])[0] is not None
""",
    "a sequence's window restored from rubbish": """
context = open_context(Model(path))
context.decode([Chunk(0, 0, [30] * 32, False)])
state = context.save_window(0)
assert state
for rubbish in (b"", b"x", state[:100], state[:-1], b"\\xff" * len(state)):
    assert not context.load_window(1, rubbish)
""",
    "callbacks after a garbage collection": """
for _ in range(3):
    gc.collect()
    lib.llama_model_load_from_file(b"/no/such/file", lib.llama_model_default_params())     # logs an error
assert recent_log()
""",
    "tokens that a grammar forbids": """
engine = Engine.load(path)
from agentkit.model_backend.constraint import Constraints
matcher = Constraints(engine.vocab.handle, eog=engine.vocab.eog).matcher(Grammar('start: "yes"'))
forbidden = engine.vocab.tokenize("no", special=False)
refused(lambda: matcher.accept(forbidden), ModelError)
matcher = Constraints(engine.vocab.handle, eog=engine.vocab.eog).matcher(Grammar('start: "yes"'))
refused(lambda: matcher.accept([1]), ModelError)        # the end, with the grammar incomplete
engine.close()
""",
    "a grammar that is not one": """
engine = Engine.load(path)
for lark in ("", "start: ", "start: nothing", "start: /(/", "\\0", "start: start", 'start: "' + "x" * 100_000 + '"'):
    try:
        run(engine, Constrained(grammar=Grammar(lark), max_tokens=20))
    except AgentkitError:
        pass
assert run(engine, Free(max_tokens=3, ban=(1, 9, 16))).usage.output_tokens == 3
engine.close()
""",
    "text that is no text": """
engine = Engine.load(path)
texts = "", "\\0", "a\\0b", "\\ud800", "\\U0010ffff", "é" * 9999, "<|tool_call>" * 500, " " * 9999, "\\n" * 999
for text in texts:
    for special in (False, True):
        engine.vocab.detokenize(engine.vocab.tokenize(text, special=special))
engine.close()
""",
    "a closed engine": """
engine = Engine.load(path)
engine.close()
refused(lambda: engine.vocab.tokenize("a", special=False), ModelError)
refused(lambda: engine.vocab.piece(300), ModelError)
refused(lambda: engine.vocab.special("<bos>"), ModelError)
refused(lambda: engine.vocab.handle, ModelError)
refused(lambda: run(engine, Free()), ModelError)
""",
    "closing while other threads tokenize and decode": """
for _ in range(20):
    engine = Engine.load(path)
    def work():
        try:
            while True:
                engine.vocab.tokenize("some text " * 50, special=False)
        except ModelError:
            pass
    def decode():
        try:
            run(engine, Free(max_tokens=10**6, ban=(1, 9, 16)))
        except ModelError:
            pass
    threads = [threading.Thread(target=target) for target in (work, work, decode, decode)]
    [thread.start() for thread in threads]
    engine.close()
    [thread.join() for thread in threads]
""",
    "the interpreter's exit without a close": """
engine = Engine.load(path)
run(engine, Free(max_tokens=3))
""",
    "the interpreter's exit in the middle of a run": """
engine = Engine.load(path)
async def main():
    task = asyncio.ensure_future(
        engine.run([2, 30], script(Free(max_tokens=10**9, ban=(1, 9, 16))), sampling=ResolvedSampling())
    )
    await asyncio.sleep(0.05)
    raise SystemExit(0)
asyncio.run(main())
""",
}


@pytest.mark.parametrize("case", CASES)
def test_llama_cpp_survives(case: str, tiny: Path) -> None:
    child = run_child(PRELUDE + CASES[case] + "\nprint('alive')\n", tiny)
    alive = "" if "in the middle" in case else "alive\n"
    assert (child.returncode, child.stdout) == (0, alive), child.stderr
    assert "Traceback" not in child.stderr


def test_llama_cpp_prints_nothing(tiny: Path) -> None:
    code = PRELUDE + "engine = Engine.load(path); run(engine, Free(max_tokens=3)); engine.close()"
    child = run_child(code, tiny)
    assert (child.returncode, child.stdout, child.stderr) == (0, "", "")


def test_what_the_user_set_in_the_environment_stays() -> None:
    code = (
        "import os; os.environ.update(GOMP_SPINCOUNT='7'); import agentkit.model_backend;"
        "print(os.environ['GOMP_SPINCOUNT'], os.environ['GGML_NO_BACKTRACE'])"
    )
    assert run_child(code).stdout == "7 1\n"


# ------------------------------------------------------------------------------------------- bad files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
        (b"PK\x03\x04" + b"\0" * 100, "zip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS"),
        (b"\x7fELF" + b"\0" * 100, "not a GGUF file"),
        (b"GGUF", "truncated"),
        (b"GGUF\x03\0\0\0" + b"\xff" * 16, "not a plausible model file"),
    ],
)
def test_a_foreign_file_gives_one_line_that_says_what_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=message) as caught:
        Engine.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_a_folder_and_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no such file"):
        Engine.load(tmp_path / "missing.gguf")
    with pytest.raises(ModelUnavailable, match="folder"):
        Engine.load(tmp_path)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ModelUnavailable, match="can't be read"):
        Engine.load(file / "below.gguf")


def test_a_file_cut_anywhere_is_refused_and_kills_no_one(tiny: Path, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from agentkit.errors import ModelUnavailable
from agentkit.model_backend.engine import Engine
data, path = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
for end in [*range(0, 20_000, 397), *range(20_000, len(data), 50_021), len(data) - 1]:
    path.write_bytes(data[:end])
    try:
        Engine.load(path).close()
    except ModelUnavailable as error:
        assert "\\n" not in str(error), error
    else:
        raise SystemExit(f"loaded when cut at {end}")
print("alive")
"""
    child = run_child(code, tiny, tmp_path / "cut.gguf")
    assert child.stdout == "alive\n", child.stderr


def test_damaged_metadata_is_refused_and_kills_no_one(tiny: Path, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from agentkit.errors import ModelUnavailable
from agentkit.model_backend.engine import Engine
data, path = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
for old, new in [
    (b"gemma4", b"gemmaX"),                                         # an architecture that does not exist
    (b"tokenizer.ggml.merges", b"tokenizer.ggml.mergeX"),
    (b"tokenizer.ggml.model", b"tokenizer.ggml.modeX"),
    (b"blk.3.attn_q.weight", b"blk.3.attn_X.weight"),               # a tensor that is missing
    (b"gemma4.block_count", b"gemma4.block_counX"),
    (b"gemma4.attention.sliding_window_pattern", b"gemma4.attention.sliding_window_patterX"),
    (b"<0x41>", b"<0x42>"),                                         # a token that is there twice
]:
    assert old in data
    path.write_bytes(data.replace(old, new))
    try:
        Engine.load(path).close()
    except ModelUnavailable as error:
        assert "\\n" not in str(error), error
        print(error, file=sys.stderr)
    else:
        raise SystemExit(f"loaded with {new}")
print("alive")
"""
    child = run_child(code, tiny, tmp_path / "damaged.gguf")
    assert child.stdout == "alive\n", child.stderr
    assert "unknown model architecture: 'gemmaX'" in child.stderr
    assert "'<0x42>' twice" in child.stderr
