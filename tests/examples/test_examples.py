"""The examples: their tools give the right answers, and the starter model solves them."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agentkit.cli.main import execute
from agentkit.task import load_task
from agentkit.tools.arithmetic import calculate
from agentkit.tools.context import ToolContext
from agentkit.tools.dates import add_to_date, date_difference
from agentkit.tools.files import read_file, search_files, write_file

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("expenses", "logs", "orders", "travel")
SEEDS = range(1, 6)
ENOUGH = 4  # of the seeds


def module(path: Path) -> ModuleType:
    """Imports a file of an example under its own name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def check(name: str) -> ModuleType:
    return module(EXAMPLES / name / f"check_{name}.py")


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    """Copies an example, so that what it writes stays out of the repository."""
    return lambda name: shutil.copytree(EXAMPLES / name, tmp_path / name)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_loads_with_its_tools(name: str) -> None:
    task = load_task(EXAMPLES / name / "task.yaml")
    assert "{{" not in task.task
    assert task.load_tools()


def test_the_expense_tools_total_what_plain_python_totals(copy: Callable[[str], Path]) -> None:
    folder = copy("expenses")
    tools = module(folder / "expense_tools.py")
    context = ToolContext(workspace=folder)
    for currency in ("EUR", "USD", "CHF"):
        loaded = tools.load_expenses("expenses.csv", context)
        converted = tools.convert_expenses(currency, context)
        result = tools.total_by_month(context)
        answer = {
            "currency": result["currency"],
            "totals": result["totals"],
            "largest_month": result["largest"]["month"],
        }
        assert check("expenses").problems(answer, currency) == []
    rows = (folder / "expenses.csv").read_text().count("R-")
    assert loaded["expenses"] + sum(loaded["skipped_rows"].values()) == rows + 1  # the line with the total
    assert converted["expenses"] + sum(converted["skipped_without_rate"].values()) == loaded["expenses"]


def test_the_file_tools_find_the_failing_service(copy: Callable[[str], Path]) -> None:
    folder = copy("logs")
    context = ToolContext(workspace=folder)
    worst = search_files(" ERROR ", context, "logs/*.log")["files"][0]
    time, _, _, message = worst["first"][0]["text"].split(" ", 3)
    count = search_files(message, context, worst["path"])["count"]
    write_file("report.md", f"{worst['path']} {time} {message} {count}", context)
    answer = {"service": worst["path"], "first_error_time": time, "first_error": message, "count": count}
    assert check("logs").problems(answer, (folder / "report.md").read_text()) == []


def test_the_plan_for_the_logs_is_right_and_needs_no_model(
    copy: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy("logs")
    assert execute(["plan", str(folder / "plan.yaml")]) == 0
    assert capsys.readouterr().err == ""
    assert execute(["run", str(folder / "plan.yaml")]) == 0
    expected = check("logs").expected()
    assert (folder / "report.md").read_text() == (
        f"{expected['service']} failed first at {expected['first_error_time']}: {expected['first_error']}\n"
        f"This was logged {expected['count']} times.\n"
    )


def test_the_plan_for_the_orders_reads_each_file_and_needs_no_model(
    copy: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy("orders")
    assert execute(["plan", str(folder / "plan.yaml")]) == 0
    assert execute(["run", str(folder / "plan.yaml")]) == 0
    out = capsys.readouterr().out
    assert check("orders").problems(json.loads(out[out.rindex("\n{") :])) == []


def test_the_tools_plan_the_trip(copy: Callable[[str], Path]) -> None:
    folder = copy("travel")
    assert "1,086 miles" in read_file("trip.txt", ToolContext(workspace=folder))["text"]
    distance = module(folder / "unit_tools.py").convert_unit(1086, "miles", "km")["value"]
    days = calculate(f"ceil({distance} / 90)")
    arrival = add_to_date("Monday 29 March 2027", days=int(days))
    answer = {
        "distance_km": distance,
        "riding_days": days,
        "arrival": arrival["date"],
        "weekday": arrival["weekday"],
        "days_until_train": date_difference(arrival["date"], "24 April 2027")["days"],
    }
    assert check("travel").problems(answer) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_answer_is_told_from_a_right_one(name: str) -> None:
    answer = check(name).expected()
    if name == "expenses":
        totals = [{"month": month, "total": total} for month, total in answer["totals"].items()]
        right, wrong = answer | {"totals": totals}, answer | {"totals": totals[1:]}
        assert check(name).problems(right) == []
        assert check(name).problems(wrong)
        return
    report = ("payments failed 37 times",) if name == "logs" else ()
    assert check(name).problems(answer, *report) == []
    for key in answer:
        assert check(name).problems(answer | {key: -1}, *report), key


@dataclass
class Attempt:
    """What a run with the model gave."""

    seed: int
    problems: list[str]
    result: dict[str, Any]

    def __str__(self) -> str:
        calls = [f"{s['tool']}({json.dumps(s['args'])})" for s in self.result.get("steps", [])]
        return f"seed {self.seed}: {self.problems or 'right'}\n  " + "\n  ".join(calls)


def attempt(name: str, folder: Path, seed: int, *options: str) -> Attempt:
    """Runs an example with the starter model and checks its answer."""
    (folder / "report.md").unlink(missing_ok=True)
    program = Path(sys.executable).with_name("agentkit")
    command = [str(program), "run", str(folder / "task.yaml"), "--json", "--model", "starter", "--seed", str(seed)]
    command += options
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if not done.stdout.strip():
        return Attempt(seed, [f"no output, exit code {done.returncode}: {done.stderr[-500:]}"], {})
    result = json.loads(done.stdout)
    if result["stop_reason"] != "answer":
        return Attempt(seed, [f"stopped: {result['stop_reason']}"], result)
    report: tuple[str, ...] = ()
    if name == "logs":
        file = folder / "report.md"
        report = (file.read_text() if file.exists() else "",)
    return Attempt(seed, check(name).problems(result["output"], *report), result)


@pytest.mark.model
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_the_starter_model_solves_an_example_with_most_seeds(name: str, copy: Callable[[str], Path]) -> None:
    folder = copy(name)
    attempts = [attempt(name, folder, seed) for seed in SEEDS]
    right = sum(not a.problems for a in attempts)
    assert right >= ENOUGH, "\n".join(map(str, attempts))


@pytest.mark.model
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_the_starter_model_solves_an_example_by_a_plan_of_its_own(name: str, copy: Callable[[str], Path]) -> None:
    folder = copy(name)
    attempts = [attempt(name, folder, seed, "--planner", "graph") for seed in SEEDS]
    right = sum(not a.problems for a in attempts)
    assert right >= ENOUGH, "\n".join(map(str, attempts))
