"""Tells whether a plan is valid: it could be started as it stands.

The check is the one that `agentkit.planners.check` makes before a run. It finds ids that are there twice, references
to steps that are not earlier ones (so there is no cycle), unknown tools, references to parts that results do not
have, and results of a type that the parameter does not take. Arguments that are written out are checked by a
validator that knows nothing of how they were decoded. What can't be known before the plan runs counts as fitting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema_rs

from agentkit.errors import ArgumentError, ToolFailed
from agentkit.messages import JsonObject, JsonValue
from agentkit.model_backend.base import ToolSpec
from agentkit.planners.check import check_plan
from agentkit.planners.plan import Step
from agentkit.tools.context import ToolContext
from agentkit.tools.tool import Tool

__all__ = ["DeclaredTool", "plan_problems"]


class DeclaredTool(Tool):
    """A tool of which there is only the declaration: its arguments can be checked, and it can't be called.

    Args:
        spec: The declaration.
    """

    def __init__(self, spec: ToolSpec) -> None:
        self.name = spec.name
        self.description = spec.description
        self.parameters = spec.parameters
        self.returns = spec.returns
        self.effect = "pure"
        self.timeout = None
        self.isolation = "thread"
        self.origin = spec.name
        self._validator = jsonschema_rs.validator_for(spec.parameters)

    def validate(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments as they are, when they fit the schema exactly: nothing is converted.

        Raises:
            agentkit.errors.ArgumentError: They do not fit.
        """
        found = [(tuple(error.instance_path), error.message) for error in self._validator.iter_errors(dict(arguments))]
        if found:
            message = "; ".join(f"{'.'.join(map(str, place))}: {text}" for place, text in found)
            raise ArgumentError(f"The arguments of {self.name!r} do not fit: {message}", problems=found)
        return dict(arguments)

    async def invoke(self, arguments: JsonObject, context: ToolContext | None = None) -> JsonValue:
        """Fails.

        Raises:
            agentkit.errors.ToolFailed: Always.
        """
        raise ToolFailed(f"{self.name!r} can't be called: there is only its declaration")


def plan_problems(steps: Sequence[Step], tools: Sequence[ToolSpec]) -> list[str]:
    """Returns why the steps are no valid plan for the tools; nothing when they are."""
    if not steps:
        return ["the plan has no steps"]
    found = check_plan(steps, {tool.name: DeclaredTool(tool) for tool in tools})
    return [f"step {finding.step!r}: {finding.message}" for finding in found if finding.severity == "error"]
