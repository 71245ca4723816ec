"""The right answer in plain Python, without agentkit: ``python check_logs.py``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LINE = re.compile(r"(?P<time>\S+) ERROR \[\w+\] (?P<message>.*)")


def expected() -> dict[str, Any]:
    """Returns the answer that the task should give."""
    errors: dict[str, list[re.Match[str]]] = {}
    for path in sorted((HERE / "logs").glob("*.log")):
        lines = path.read_text(encoding="utf-8").splitlines()
        errors[path.stem] = [match for line in lines if (match := LINE.fullmatch(line))]
    service = max(errors, key=lambda name: len(errors[name]))
    first = errors[service][0]
    count = sum(match["message"] == first["message"] for match in errors[service])
    return {
        "service": service,
        "first_error_time": first["time"],
        "first_error": first["message"],
        "count": count,
    }


def problems(output: dict[str, Any], report: str) -> list[str]:
    """Returns what is wrong with an answer and the report; nothing when both are right."""
    right = expected()
    service = str(output.get("service")).rsplit("/", 1)[-1].removesuffix(".log").lower()
    checks = {
        f"service: {output.get('service')!r} should be {right['service']!r}": service == right["service"],
        f"first_error_time: {output.get('first_error_time')!r} should be {right['first_error_time']!r}": str(
            output.get("first_error_time")
        ).rstrip("Z")
        == right["first_error_time"].rstrip("Z"),
        f"first_error: {output.get('first_error')!r} should be {right['first_error']!r}": right["first_error"]
        in str(output.get("first_error")),
        f"count: {output.get('count')!r} should be {right['count']}": output.get("count") == right["count"],
        "the report does not name the service": right["service"] in report.lower(),
        "the report does not hold the count": str(right["count"]) in report,
    }
    return [problem for problem, fine in checks.items() if not fine]


if __name__ == "__main__":
    print(json.dumps(expected(), indent=2))
