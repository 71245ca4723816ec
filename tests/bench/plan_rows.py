"""A small suite of our own in NESTFUL's format."""

import json
from pathlib import Path
from typing import Any

from agentkit.bench.nestful_cases import NestfulCase, load_nestful

TOOLS: list[dict[str, Any]] = [
    {
        "name": "Shop.Find",
        "description": "Find a product.",
        "parameters": {
            "type": "object",
            "properties": {"name": {"type": "string", "description": "Its name."}, "limit": {"type": "integer"}},
            "required": ["name"],
        },
        "returns": {
            "type": "object",
            "properties": {
                "product_id": {"type": "number", "description": "Its number."},
                "tags": {"type": "array", "items": {}},
                "maker": {"type": "object"},
            },
        },
    },
    {
        "name": "price",
        "description": "Get a price.",
        "parameters": {
            "type": "object",
            "properties": {
                "product": {"type": "number"},
                "currency": {"type": "string", "enum": ["EUR", "USD"]},
                "note": {"type": "string"},
            },
            "required": ["product"],
        },
        "returns": {"type": "object", "properties": {"amount": {"type": "number"}, "valid until": {"type": "string"}}},
    },
    {
        "name": "send",
        "description": "Send a message.",
        "parameters": {
            "type": "object",
            "properties": {"text": {"type": "string"}, "urgent": {"type": "boolean"}},
            "required": ["text"],
        },
        "returns": None,
    },
]

GOLD: list[dict[str, Any]] = [
    {"id": "var1", "tool": "Shop.Find", "args": {"name": "Lamp"}},
    {"id": "var2", "tool": "Shop.Find", "args": {"name": "Desk"}},
    {"id": "var3", "tool": "price", "args": {"product": "$var1.product_id$", "currency": "EUR"}},
    {"id": "var4", "tool": "price", "args": {"product": "$var2.product_id$", "currency": "USD"}},
    {"id": "var5", "tool": "send", "args": {"text": "$var3.valid until$", "urgent": True}},
]


def row(gold: list[dict[str, Any]] | None = None, **other: Any) -> dict[str, Any]:
    return {"id": "shop-1", "input": "What do they cost?", "tools": TOOLS, "gold": gold or GOLD} | other


def write_rows(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def load(folder: Path, gold: list[dict[str, Any]] | None = None) -> NestfulCase:
    (case,) = load_nestful(write_rows(folder, row(gold)))
    return case
