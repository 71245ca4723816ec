"""Reads the table of turns and what each must give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from agentkit.messages import Piece, Text, Thought, ToolCall

TOOLS = ("f", "g", "get_weather")


@dataclass(frozen=True)
class Case:
    source: str
    tokens: str
    gives: tuple[Piece, ...]
    notes: tuple[str, ...]


def corpus() -> list[Case]:
    groups: list[dict[str, Any]] = YAML(typ="safe").load(Path(__file__).with_suffix(".yaml"))  # pyright: ignore[reportUnknownMemberType]  # no stub
    return [
        Case(group["source"], case["tokens"], tuple(map(_piece, case["gives"])), tuple(case.get("notes", ())))
        for group in groups
        for case in group["cases"]
    ]


def _piece(row: dict[str, Any]) -> Piece:
    if "call" in row:
        return ToolCall(row["call"], row["arguments"])
    return Thought(row["thought"]) if "thought" in row else Text(row["text"])
