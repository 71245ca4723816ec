"""What the doctor says of a machine is what the sandbox finds on it."""

from __future__ import annotations

import json

import pytest

from agentkit.cli.main import main
from agentkit.tools.sandbox import best_level, bwrap_trouble


def test_without_a_model_it_says_how_well_commands_are_kept_apart(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["doctor", "--json"])
    said = json.loads(capsys.readouterr().out)
    found = {finding["topic"]: finding for finding in said["findings"]}
    assert said["model"] is None
    assert found["sandbox"]["data"] == {"level": best_level()}
    assert found["bubblewrap"]["level"] == ("warning" if bwrap_trouble() else "ok")
    assert all(finding["advice"] for finding in said["findings"] if finding["level"] == "warning")


def test_a_machine_without_sandboxes_is_told_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bwrap_trouble.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("agentkit.tools.confine.landlock_version", lambda: 0)
    monkeypatch.setattr("agentkit.tools.sandbox.landlock_version", lambda: 0)
    try:
        with pytest.raises(SystemExit, match="0"):
            main(["doctor"])
    finally:
        bwrap_trouble.cache_clear()
    said = " ".join(capsys.readouterr().out.split())
    assert "bubblewrap: does not work: it is not installed -> install it" in said
    assert "sandbox: commands that a model writes may do what you may, until they reach a limit" in said
