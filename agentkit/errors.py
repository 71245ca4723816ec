"""The errors that agentkit raises, as one small tree.

::

    AgentkitError
    ├── UsageError                 misuse: the caller, a task file or a tool definition is wrong
    │   ├── ToolDefinitionError    a function can't be a tool as it is written
    │   ├── SchemaError            a JSON Schema holds something that can't be enforced
    │   ├── TaskFileError          a task file can't be read as a task (file, line, column)
    │   │   └── PlanFileError      the plan in a task file has errors, one or more
    │   ├── PlanError              a plan is not a valid graph of tool calls
    │   ├── ModelUnavailable       the model that was named is not there, or can't be loaded
    │   ├── McpServerError         an MCP server can't be started or reached, or does not do what MCP says
    │   ├── McpToolsChanged        the tools of an MCP server are not those that were accepted
    │   ├── RunChanged             a run can't go on: its task, tools or plan are not what they were
    │   └── RunOwned               another process goes on with the run
    ├── RunError                   a run failed
    │   ├── ModelError             the model backend failed while it decoded
    │   ├── ToolTimeout            a tool ran longer than its limit
    │   ├── LimitReached           a limit of the run ended it
    │   ├── Diverged               a run that is repeated does something else than what is recorded
    │   │   └── RecordEnds         ... or something more
    │   └── JournalError           the run's file can't be written or read
    │       └── RunsNotWritable    ... because nothing may be written there; also a UsageError
    └── ToolSignal                 what a tool raises to tell the model something
        ├── ArgumentError          the arguments do not fit the tool's parameters
        ├── Retry                  "call me again, differently"
        └── ToolFailed             "this can't be done", in words meant for the model

Messages name the thing with ``!r``, say what was expected, and say what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = [
    "AgentkitError",
    "ArgumentError",
    "Diverged",
    "JournalError",
    "LimitReached",
    "McpServerError",
    "McpToolsChanged",
    "ModelError",
    "ModelUnavailable",
    "PlanError",
    "PlanFileError",
    "RecordEnds",
    "Retry",
    "RunChanged",
    "RunError",
    "RunOwned",
    "RunsNotWritable",
    "SchemaError",
    "TaskFileError",
    "ToolDefinitionError",
    "ToolFailed",
    "ToolSignal",
    "ToolTimeout",
    "UsageError",
]


class AgentkitError(Exception):
    """The base of every error that agentkit raises on purpose."""


class UsageError(AgentkitError):
    """Misuse: something the caller wrote has to change. The command line exits with code 2."""


class ToolDefinitionError(UsageError):
    """A function can't be a tool as it is written; the message names the parameter and the fix."""


class SchemaError(UsageError):
    """A JSON Schema holds a feature that can be neither enforced nor checked.

    Attributes:
        pointer: JSON pointer (RFC 6901) to the offending place, such as ``/properties/x/not``.
    """

    def __init__(self, message: str, *, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class TaskFileError(UsageError):
    """A task file can't be read as a task.

    Attributes:
        path: The file, as the user named it.
        line: Line, counted from 1; 0 when the whole file is meant.
        column: Column, counted from 1; 0 when the whole line is meant.
        message: What is wrong, without the place.
    """

    def __init__(self, message: str, *, path: Path | str, line: int = 0, column: int = 0) -> None:
        self.message = message
        self.path = path
        self.line = line
        self.column = column
        place = str(path) + (f":{line}" if line else "") + (f":{column}" if line and column else "")
        super().__init__(f"{place}: {message}")


class PlanFileError(TaskFileError):
    """The plan in a task file has errors; the message has a line for each. Its place is that of the first.

    Attributes:
        errors: The errors, in the order of the file.
    """

    def __init__(self, errors: Sequence[TaskFileError]) -> None:
        first = errors[0]
        super().__init__(first.message, path=first.path, line=first.line, column=first.column)
        self.errors: tuple[TaskFileError, ...] = tuple(errors)

    def __str__(self) -> str:
        """The errors, one a line."""
        return "\n".join(map(str, self.errors))


class PlanError(UsageError):
    """A plan is not a valid graph of tool calls: unknown step, cycle, duplicate id."""


class ModelUnavailable(UsageError):
    """The model that was named is not there or can't be loaded; the message says which command helps."""


class McpServerError(UsageError):
    """An MCP server can't be started or reached, or does not do what MCP says; the message has what is known of it."""


class McpToolsChanged(UsageError):
    """The tools of an MCP server are not those that were accepted; the message has the diff."""


class RunChanged(UsageError):
    """A run can't go on, because its task, its tools or its plan are not what they were; the message has the diff."""


class RunOwned(UsageError):
    """Another process, or another part of this one, goes on with the run."""


class RunError(AgentkitError):
    """A run failed. The command line exits with code 1."""


class ModelError(RunError):
    """The model backend failed while it decoded."""


class ToolTimeout(RunError):
    """A tool ran longer than its limit allows."""


class LimitReached(RunError):
    """A limit of the run (calls, tokens, time, context) ended it.

    Attributes:
        reason: The stop reason, such as ``"token_limit"``.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Diverged(RunError):
    """A run that is repeated from its record does something else than what is recorded; the message says what."""


class RecordEnds(Diverged):
    """A run that is repeated goes on where its record ends."""


class JournalError(RunError):
    """The run's file can't be written or read."""


class RunsNotWritable(JournalError, UsageError):
    """The run's file is in a place where nothing may be written. The command line exits with code 2."""


class ToolSignal(AgentkitError):
    """The base of what a tool may raise to speak to the model; it never ends the run."""


class ArgumentError(ToolSignal):
    """The arguments do not fit; the message names each parameter, its value and what was expected.

    Attributes:
        problems: The place of each value that does not fit, as keys and list indices, and what is wrong there;
            empty when the tool does not say it that way.
    """

    def __init__(self, message: str, *, problems: Sequence[tuple[tuple[str | int, ...], str]] = ()) -> None:
        super().__init__(message)
        self.problems: tuple[tuple[tuple[str | int, ...], str], ...] = tuple(problems)


class Retry(ToolSignal):
    """The call should be made again with other arguments; the message says which and why."""


class ToolFailed(ToolSignal):
    """The call can't succeed; the message is meant for the model and is passed on as it is."""
