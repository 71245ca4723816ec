"""A sound file is examined to the end, and nothing is found wrong with it."""

from __future__ import annotations

import json
import os
import pty
import re
from pathlib import Path
from typing import Any

import pytest

from agentkit.cli.main import execute
from agentkit.messages import JsonObject
from agentkit.model_backend.catalog import physical_memory
from agentkit.model_backend.doctor.findings import LEVELS
from agentkit.model_backend.doctor.golden import GOLDEN
from tests.cli.conftest import complete, start
from tests.cli.test_terminal import read_all
from tests.doctor.conftest import by_topic, findings
from tests.doctor.damage import Parts
from tests.doctor.gemma_templates import gemma_template
from tests.tiny_gguf import CONTROL_TOKENS, build_tiny_gguf

TEMPLATE = "tokenizer.chat_template"

CHAT = """\
{%- for m in messages -%}
<|turn>{{ m.role }}
{%- if tools and loop.first %} {{ tools | tojson }}{% endif %}
{{ m.content }}
{%- for c in m.tool_calls or [] -%}
<call>{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}</call>
{%- endfor -%}
END
{% endfor -%}
{%- if add_generation_prompt %}<|turn>assistant
{% endif -%}"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> JsonObject:
    """What the command prints about a tiny model, all stages included."""
    folder = tmp_path_factory.mktemp("sound")
    path = build_tiny_gguf(folder / "tiny.gguf", kind="ple", template=gemma_template(small=True), suppress=[20])
    done = complete(["doctor", str(path), "--json"])
    assert (done.code, done.err) == (0, "")
    printed: JsonObject = json.loads(done.out)
    assert printed["path"] == str(path)
    return printed


def data(report: JsonObject, topic: str) -> dict[str, Any]:
    (finding,) = [finding for finding in report["findings"] if finding["topic"] == topic]
    assert finding["level"] in ("ok", "note")
    found: dict[str, Any] = finding["data"]
    return found


def test_nothing_is_wrong(report: JsonObject) -> None:
    assert (report["problems"], report["warnings"]) == (0, 0)
    assert all(finding["level"] in LEVELS for finding in report["findings"])


def test_the_file_is_described(report: JsonObject) -> None:
    file = data(report, "file")
    assert file["architecture"] == "gemma4"
    assert file["parameters"] == 360_342
    assert data(report, "format")["format"] == "gemma4"
    assert data(report, "thinking")["small"] is True
    assert data(report, "sampling")["used"] == {"temperature": 1.0, "top_k": 64, "top_p": 0.95}
    assert data(report, "memory")["memory"] == physical_memory()
    assert data(report, "memory")["fitting_context"] == 4096


def test_control_tokens_stop_tokens_and_suppressed_tokens_are_listed(report: JsonObject) -> None:
    ids = data(report, "control tokens")["ids"]
    assert ids == {text: number for number, text in enumerate(CONTROL_TOKENS)}
    assert data(report, "stop tokens")["stop"] == {"<eos>": 1, "<|tool_response>": 9, "<turn|>": 16}
    assert data(report, "suppressed")["tokens"] == [20]


def test_golden_calls_pass_their_grammars_and_decoded_ones_fit_their_schemas(report: JsonObject) -> None:
    assert data(report, "golden calls") == {"passed": 10, "tokens": 429, "faults": []}
    calls = data(report, "decoded calls")
    assert (calls["valid"], calls["tried"], len(GOLDEN)) == (10, 10, 10)
    assert calls["forced_tokens"] > 0


def test_speeds_are_measured(report: JsonObject) -> None:
    masks, speed = data(report, "masks"), data(report, "speed")
    assert 0 < masks["p50_ms"] <= masks["p99_ms"]
    assert speed["prompt_tokens_per_second"] > speed["free_tokens_per_second"] > 0
    assert data(report, "decoded calls")["constrained_tokens_per_second"] > 0
    assert data(report, "loading")["peak_bytes"] > 1_000_000


def test_random_weights_make_no_call_when_nothing_leads_them(report: JsonObject) -> None:
    calls = data(report, "free calls")
    assert (calls["asked"], calls["valid"], calls["one_token"]) == (5, 0, 0)
    assert data(report, "cut thoughts")["cut"] == 2
    assert "after results" in {finding["topic"] for finding in report["findings"]}
    assert "after errors" in {finding["topic"] for finding in report["findings"]}


def test_a_quick_look_decodes_nothing(tiny: Path) -> None:
    topics = [finding.topic for finding in findings(tiny, quick=True)]
    assert topics[-2:] == ["golden calls", "masks"]
    assert "loading" not in topics


def test_lines_are_no_longer_than_80_in_a_pipe_and_say_what_to_do(tmp_path: Path) -> None:
    path = build_tiny_gguf(tmp_path / "tiny.gguf", template=gemma_template(tool_turns=True, null="None"))
    done = complete(["doctor", str(path), "--quick"])
    lines = done.out.splitlines()
    assert done.code == 0
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("ok       file: 'tiny-gemma4-dense', architecture gemma4, ")
    assert "\x1b" not in done.out
    assert "note     template: a result with fields: it writes null as None" in lines
    assert any(line.startswith("         -> other programs use the template") for line in lines)
    assert lines[-1].startswith("nothing wrong, after ")


def test_the_chat_template_of_another_family_is_tried(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(parts.of_another_family().with_text(TEMPLATE, CHAT.replace("END", "<turn|>")).assembled())
    found = findings(path, quick=True)
    assert [finding.message for finding in found if finding.level in ("warning", "problem")] == []
    (template,) = by_topic(found, "template")
    assert template.data["declares_tools"] is True
    assert template.data["call_style"].startswith('{"name": "get_weather", "arguments": ')
    assert by_topic(found, "golden calls")[0].data["passed"] == 10


def test_a_turn_that_ends_with_a_token_that_stops_nothing_is_a_warning(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(parts.of_another_family().with_text(TEMPLATE, CHAT.replace("END", "<tool|>")).assembled())
    (warning,) = [finding for finding in findings(path, quick=True) if finding.level == "warning"]
    assert warning.message.startswith("the template ends the model's turn with '<tool|>', which does not stop")


def test_a_past_call_that_is_written_otherwise_than_new_ones_is_noted(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    source = CHAT.replace("END", "<turn|>").replace('{"name": "{{ c.function.name }}", ', "{{ c.function.name }}({")
    path.write_bytes(parts.of_another_family().with_text(TEMPLATE, source).assembled())
    notes = [finding.message for finding in by_topic(findings(path, quick=True), "template")]
    assert any("it writes past calls otherwise" in note for note in notes)


def test_a_file_without_a_template_is_taken_for_a_base_model(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "base.gguf"
    path.write_bytes(parts.of_another_family().with_pair(TEMPLATE, None).assembled())
    (warning,) = [finding for finding in findings(path, quick=True) if finding.level == "warning"]
    assert "most likely a base model" in warning.message


def test_a_context_that_holds_no_tool_is_a_problem(tmp_path: Path) -> None:
    found = findings(build_tiny_gguf(tmp_path / "tiny.gguf", context=256))
    assert (found[-1].topic, found[-1].level) == ("context", "problem")
    assert "the context holds 256" in found[-1].message


def test_a_terminal_shows_the_stage_and_the_same_lines_in_colour(tiny: Path) -> None:
    master, terminal = pty.openpty()
    arguments = ("doctor", str(tiny), "--quick")
    with start(arguments, stdin=terminal, stdout=terminal, stderr=terminal, env={"TERM": "xterm"}) as process:
        os.close(terminal)
        screen = b"".join(read_all(master)).decode()
    os.close(master)
    assert process.returncode == 0
    assert "trying the grammars ..." in screen
    assert re.search("\x1b\\[32mok +\x1b", screen)
    assert "nothing wrong, after " in screen


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("no-such-model", "no model 'no-such-model' in the catalog"),
        ("missing.gguf", "missing.gguf: no such file"),
        (os.devnull, "is not a regular file"),
        ("/", "is a folder"),
        ("http://localhost:1/v1", "doctor examines files"),
        ("gemma-4-31b", "agentkit models pull gemma-4-31b"),
    ],
)
def test_what_is_no_file_is_misuse(model: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["doctor", model]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err


@pytest.mark.model
@pytest.mark.timeout(600)
def test_the_starter_model_is_sound(all_cores: set[int]) -> None:
    if all_cores:
        os.sched_setaffinity(0, all_cores)
    with start(["doctor", "starter", "--json"]) as process:
        out, _ = process.communicate(timeout=500)
    assert process.returncode == 0
    report: JsonObject = json.loads(out)
    assert report["problems"] == 0
    calls = data(report, "decoded calls")
    assert calls["valid"] == calls["tried"] == 10
    assert calls["as_asked"] >= 5
