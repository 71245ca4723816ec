"""What a run may use before it is stopped."""

from __future__ import annotations

from dataclasses import dataclass

from agentkit.errors import UsageError

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a run. Each one that is reached ends the run with a stop reason of its own."""

    time: float | None = 600.0
    """Seconds for the whole run; ``None`` for no limit. Stops with ``time_limit``."""
    turns: int = 25
    """Model turns. Stops with ``turn_limit``."""
    calls: int = 50
    """Tool calls; a step with ``for_each`` makes one for each item. Stops with ``call_limit``."""
    tokens: int = 200_000
    """Prompt and output tokens of all turns together. Stops with ``token_limit``."""
    parallel: int = 8
    """Tool calls that run at the same time, those for the items of a list included."""
    repeats: int = 3
    """How often the same call with the same arguments may be asked for. Stops with ``repeated_calls``."""
    result_chars: int = 6_000
    """A result longer than this, as JSON, is kept out of the prompt behind a handle."""

    def __post_init__(self) -> None:
        if self.time is not None and self.time <= 0:
            raise UsageError(f"limit time={self.time!r} must be more than 0 seconds, or None for no limit")
        for name in ("turns", "calls", "tokens", "parallel", "repeats", "result_chars"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise UsageError(f"limit {name}={value!r} must be a whole number of at least 1")
