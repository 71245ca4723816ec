"""What is wrong with the plan in a task file, all at once and each with its place, as a compiler says it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentkit.errors import PlanFileError, TaskFileError
from agentkit.plan_approvals import foresee
from agentkit.planners.check import check_plan
from agentkit.planners.check_graph import Finding, Severity, check_graph
from agentkit.planners.fit import Fit, fits
from agentkit.planners.plan import Step
from agentkit.planners.results import answer_schema, result_schema

if TYPE_CHECKING:
    from agentkit.policy import Verdict
    from agentkit.task import Task
    from agentkit.task_steps import StepList
    from agentkit.tools.tool import Tool

__all__ = ["Diagnostic", "diagnose", "diagnose_written", "refuse_errors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """Something about a plan that its author should know."""

    severity: Severity
    """An ``error`` keeps the plan from being run, a ``warning`` does not, a ``note`` says what can't be known yet."""
    path: Path
    line: int = 0
    """Counted from 1; 0 for a plan that stands in no file."""
    column: int = 0
    """Counted from 1; 0 for a plan that stands in no file."""
    message: str

    @property
    def place(self) -> str:
        """Where it is, as editors can follow it."""
        return f"{self.path}:{self.line}:{self.column}" if self.line else str(self.path)

    def __str__(self) -> str:
        """Place, severity and message on one line."""
        return f"{self.place}: {self.severity}: {self.message}"


def diagnose(task: Task, tools: Sequence[Tool] | None = None) -> list[Diagnostic]:
    """Returns what is to be said about a task's list of steps, in the order of the file.

    Args:
        task: The task; one without a list of steps has nothing wrong.
        tools: The tools that it may use; without them, only what does not depend on them is looked at.
    """
    given = task.given
    if given is None:
        return []
    found = [_of_error(problem) for problem in given.problems]
    if tools is None:
        findings = check_graph(given.steps)
    else:
        findings = check_plan(given.steps, {tool.name: tool for tool in tools})
        found += _beyond_the_graph(task, given)
        found += _approvals(task, given, {tool.name: tool for tool in tools})
        found += _of_answer(task, given, {tool.name: tool for tool in tools})
    for finding in findings:
        if finding.index not in given.broken and not _is_forbidden(task, given, finding):
            found.append(_of_finding(task, given, finding))
    return sorted(found, key=lambda d: (d.line, d.column))


def diagnose_written(task: Task, steps: Sequence[Step], tools: Sequence[Tool]) -> list[Diagnostic]:
    """Returns what is to be said about a plan that a model wrote; it has steps in place of lines and columns."""
    named = {tool.name: tool for tool in tools}
    findings: list[tuple[str, Severity, str]] = [(f.step, f.severity, f.message) for f in check_plan(steps, named)]
    findings += [(step, *_of_verdict(verdict)) for step, verdict in foresee(steps, named, task.policy).items()]
    return [
        Diagnostic(severity=s, path=task.path, message=f"step {step!r}: {message}") for step, s, message in findings
    ]


def refuse_errors(diagnostics: Iterable[Diagnostic]) -> None:
    """Ends with an error when there is one.

    Raises:
        agentkit.errors.PlanFileError: It says all of them.
    """
    errors = [d for d in diagnostics if d.severity == "error"]
    if errors:
        raise PlanFileError(
            [TaskFileError(f"error: {d.message}", path=d.path, line=d.line, column=d.column) for d in errors]
        )


def _of_error(error: TaskFileError) -> Diagnostic:
    return Diagnostic(
        severity="error", path=Path(error.path), line=error.line, column=error.column, message=error.message
    )


def _of_finding(task: Task, given: StepList, finding: Finding) -> Diagnostic:
    where = ("planner", given.places[finding.index], *finding.place)
    node = task.root.find(where)
    if finding.at_key:
        node = task.root.find(where[:-1]).keys.get(str(where[-1]), node)
    return Diagnostic(
        severity=finding.severity, path=task.path, line=node.line, column=node.column, message=finding.message
    )


def _is_forbidden(task: Task, given: StepList, finding: Finding) -> bool:
    """Whether a finding says that there is no such tool where the policy is what keeps it away."""
    return finding.place == ("tool",) and not task.policy.permits(given.steps[finding.index].tool)


def _beyond_the_graph(task: Task, given: StepList) -> Iterator[Diagnostic]:
    """Yields what other parts of the task file make of the plan."""
    for i, step in enumerate(given.steps):
        if i not in given.broken and not task.policy.permits(step.tool):
            message = f"the policy does not allow {step.tool!r}; allow it or drop the step"
            yield _of_error(task.error(message, "planner", given.places[i], "tool"))
    calls, most = len(given.steps), task.limits.calls
    if calls > most:
        message = f"the plan makes {calls:,} calls or more, but 'limits.calls' is {most:,}; set it higher"
        yield _of_error(task.error(message, *(("limits", "calls") if "limits" in task.root.keys else ("planner",))))


def _approvals(task: Task, given: StepList, tools: Mapping[str, Tool]) -> Iterator[Diagnostic]:
    """Yields which steps a person will be asked about, and which the policy denies."""
    verdicts = foresee(given.steps, tools, task.policy)
    for i, step in enumerate(given.steps):
        if i not in given.broken and step.id in verdicts:
            severity, message = _of_verdict(verdicts[step.id])
            place = task.error(message, "planner", given.places[i], "tool")
            yield Diagnostic(severity=severity, path=task.path, line=place.line, column=place.column, message=message)


def _of_verdict(verdict: Verdict) -> tuple[Severity, str]:
    if verdict.action == "deny":
        return "error", f"{verdict.reason}; change the arguments or drop the step"
    return "warning", f"a person is asked before this call is made: {verdict.reason}"


def _of_answer(task: Task, given: StepList, tools: Mapping[str, Tool]) -> Iterator[Diagnostic]:
    """Yields whether the last steps surely do not give what the task asks for."""
    named = {step for s in given.steps for step in s.needs}
    last = [step for step in given.steps if step.id not in named]
    if task.output is None or not last or any(step.tool not in tools for step in last):
        return
    output = task.output if isinstance(task.output, dict) else task.output.model_json_schema()
    results = {step.id: result_schema(step, tools[step.tool].returns) for step in last}
    verdict = fits(answer_schema([*results], results), output)
    if verdict.fit is Fit.NO:
        message = f"the answer, which is the result of {', '.join(results)}, does not fit this: {verdict.reason}"
        place = task.error(message, "output")
        yield Diagnostic(severity="warning", path=task.path, line=place.line, column=place.column, message=message)
