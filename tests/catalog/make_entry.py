"""Catalog entries for files that tests make."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from agentkit.model_backend.catalog import CatalogEntry, get

__all__ = ["make_entry"]


def make_entry(content: bytes, **changes: Any) -> CatalogEntry:
    """An entry for a file with this content, without parts on PyPI; `changes` are fields of it."""
    values: dict[str, Any] = {
        "id": "tiny",
        "repo": "owner/tiny",
        "file": "tiny.gguf",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "parts": None,
    }
    return replace(get("starter"), **values | changes)
