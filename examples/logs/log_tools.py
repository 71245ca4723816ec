"""Tools of the user's own: what this company knows about its logs."""

import re
from collections import Counter
from typing import TypedDict

from agentkit import ToolContext, ToolFailed, tool

LINE = re.compile(r"(?P<time>\S+) (?P<level>[A-Z]+) +\[\w+\] (?P<message>.*)")


class ErrorCounts(TypedDict):
    """How many errors each service had."""

    most_errors: str
    errors: dict[str, int]


class FirstError(TypedDict):
    """When and with what a service failed first."""

    service: str
    time: str
    message: str


def errors(context: ToolContext, folder: str, service: str) -> list[tuple[str, str]]:
    """Returns time and message of each error of a service."""
    path = context.workspace / folder / f"{service}.log"
    if not path.is_file():
        services = sorted(p.stem for p in path.parent.glob("*.log"))
        raise ToolFailed(f"there is no log of {service!r} in {folder!r}; the services are {services}")
    matches = map(LINE.fullmatch, path.read_text(encoding="utf-8").splitlines())
    return [(m["time"], m["message"]) for m in matches if m and m["level"] == "ERROR"]


@tool(effect="pure")
def count_errors(folder: str, context: ToolContext) -> ErrorCounts:
    """Count the error lines of every service, and name the service with the most.

    Args:
        folder: Folder of the logs.
    """
    services = [p.stem for p in (context.workspace / folder).glob("*.log")]
    counts = Counter({service: len(errors(context, folder, service)) for service in services})
    return {"most_errors": max(counts, key=lambda s: counts[s]), "errors": dict(counts)}


@tool(effect="pure")
def first_error(folder: str, service: str, context: ToolContext) -> FirstError:
    """Find the first error of one service: its time and message.

    Args:
        folder: Folder of the logs.
        service: Name of the service.
    """
    found = errors(context, folder, service)
    if not found:
        raise ToolFailed(f"{service!r} has no errors")
    return {"service": service, "time": found[0][0], "message": found[0][1]}


@tool(effect="pure")
def count_message(folder: str, service: str, message: str, context: ToolContext) -> int:
    """Count how often one error message occurs in the log of one service.

    Args:
        folder: Folder of the logs.
        service: Name of the service.
        message: The whole message.
    """
    return sum(m == message for _, m in errors(context, folder, service))
