"""What a run is asked to do, and with what; and whether that is still what it was when the run began."""

from __future__ import annotations

import difflib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentkit.approval import Approve
from agentkit.calls import Assume
from agentkit.errors import RunChanged
from agentkit.events import RunStarted
from agentkit.limits import Limits
from agentkit.message_json import message_to_json
from agentkit.messages import JsonObject, JsonValue, Message
from agentkit.model_backend.base import Model, ModelInfo, Sampling
from agentkit.planners.base import Planner
from agentkit.policy import Policy
from agentkit.reuse import Reuse
from agentkit.tools.access import Access
from agentkit.tools.code import code_digest
from agentkit.tools.registry import ToolRegistry

__all__ = ["RunSpec", "check_unchanged", "model_words", "new_run_id"]

_SAME = ("task", "instructions", "history", "planner", "plan", "output", "tools", "model")
"""What may not change while a run goes on. Limits and the policy may, and the code of tools."""

_MAY_CHANGE = ("name", "code", "source", "sink")
"""Of a tool; the policy decides about the last two."""


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """What a run is asked to do, and with what."""

    run_id: str
    task: str
    model: Model | None
    planner: Planner
    planner_name: str
    tools: ToolRegistry
    limits: Limits
    workspace: Path
    instructions: str = ""
    history: Sequence[Message] = ()
    output: JsonObject | None = None
    convert: Callable[[JsonValue], Any] | None = None
    """Makes the answer the type that was asked for; raises ``ValueError`` when it can't."""
    thinking: int = 0
    sampling: Sampling = Sampling()
    plan: Sequence[JsonObject] = ()
    """The steps of a given plan, as a task file has them."""
    policy: Policy = field(default_factory=Policy)
    """Which calls may be made, and about which a person is asked."""
    approve: Approve | None = None
    """Asks a person; ``None`` when nobody is there."""
    source: JsonObject = field(default_factory=dict[str, Any])
    """What the run was started from, for who goes on with it; see `agentkit.events.RunStarted`."""
    access: Access = Access()
    """What tools may get at besides the workspace."""
    assume: Assume | None = None
    """What a person says of calls that are in doubt."""
    reuse: Reuse | None = None
    """Results of an earlier run that may stand for calls."""
    fork: JsonObject = field(default_factory=dict[str, Any])
    """What the run was forked from; see `agentkit.events.RunStarted`."""

    @property
    def model_info(self) -> ModelInfo:
        """The model that turns go to; one called ``none`` when there is none."""
        return self.model.info if self.model else ModelInfo(name="none", kind="scripted", context=0)

    def started(self) -> RunStarted:
        """Returns the event with which the run begins."""
        return RunStarted(
            run_id=self.run_id,
            task=self.task,
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
            model=asdict(self.model_info),
            planner=self.planner_name,
            tools=[
                {
                    "name": t.name,
                    "description": t.description,
                    "parameters": t.parameters,
                    "effect": t.effect,
                    "code": code_digest(t),
                }
                | ({"source": source} if (source := self.policy.source(t)) else {})
                | ({"sink": sink if isinstance(sink, bool) else list(sink)} if (sink := self.policy.sink(t)) else {})
                for t in self.tools
            ],
            limits=asdict(self.limits),
            output=self.output,
            instructions=self.instructions,
            history=[message_to_json(m) for m in self.history],
            plan=list(self.plan),
            policy=self.policy.to_json(),
            source=self.source,
            reuse=self.reuse.to_json() if self.reuse else {},
            fork=self.fork,
        )


def new_run_id() -> str:
    """Returns a name that sorts by time and that a person can tell from others."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def check_unchanged(recorded: RunStarted, now: RunStarted) -> None:
    """Compares what a run was asked to do with what it would be asked now.

    Args:
        recorded: How the run began.
        now: How it would begin now.

    Raises:
        agentkit.errors.RunChanged: It is something else; the message has the differences.
    """
    before, after = (_words(event) for event in (recorded, now))
    if before != after:
        diff = difflib.unified_diff(before, after, "recorded", "now", lineterm="", n=1)
        raise RunChanged(
            f"run {recorded.run_id!r} can't go on, because this is not what it was:\n"
            + "\n".join(diff)
            + "\nChange it back, start a new run, or go on all the same with force (agentkit resume --force)."
        )


def model_words(event: RunStarted) -> str:
    """Returns what tells the model of a run from others."""
    return str(event.model.get("digest") or event.model.get("name"))


def _words(event: RunStarted) -> list[str]:
    values = {key: getattr(event, key) for key in _SAME}
    values["tools"] = {t["name"]: {k: v for k, v in t.items() if k not in _MAY_CHANGE} for t in event.tools}
    values["model"] = model_words(event)
    return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False).splitlines()
