"""The right answer in plain Python, without agentkit: ``python check_expenses.py [CURRENCY]``."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import defaultdict
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d %b %Y")


def expected(currency: str = "EUR") -> dict[str, Any]:
    """Returns the answer that the task should give."""
    with open(HERE / "rates.csv", encoding="utf-8", newline="") as file:
        rates = {row["currency"]: Fraction(row["in_eur"]) for row in csv.DictReader(file)}
    with open(HERE / "expenses.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    seen: set[str] = set()
    sums: defaultdict[str, Fraction] = defaultdict(Fraction)
    for row in rows:
        amount = row["Amount"].strip().replace(",", "")
        code = row["Currency"].strip().upper()
        day = read_date(row["Date"])
        if row["Receipt"] in seen or not re.fullmatch(r"-?\d+\.\d\d", amount) or code not in rates or day is None:
            continue
        seen.add(row["Receipt"])
        sums[f"{day:%Y-%m}"] += Fraction(amount) * rates[code] / rates[currency]
    totals = {month: round(float(total), 2) for month, total in sorted(sums.items())}
    return {"currency": currency, "totals": totals, "largest_month": max(totals, key=lambda month: totals[month])}


def read_date(text: str) -> date | None:
    """Returns the date in a cell, or ``None`` when it does not exist."""
    for form in FORMATS:
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    return None


def problems(output: dict[str, Any], currency: str = "EUR") -> list[str]:
    """Returns what is wrong with an answer; nothing when it is right."""
    right = expected(currency)
    given = {item["month"]: item["total"] for item in output["totals"]}
    found = [f"{m}: {given.get(m)} should be {t}" for m, t in right["totals"].items() if not near(given.get(m), t)]
    found += [f"{month}: there is no such month" for month in given.keys() - right["totals"].keys()]
    found += [
        f"{key}: {output.get(key)!r} should be {right[key]!r}"
        for key in ("currency", "largest_month")
        if output.get(key) != right[key]
    ]
    return found


def near(given: float | None, right: float) -> bool:
    """Says whether a total is right to the cent."""
    return given is not None and abs(given - right) < 0.0101


if __name__ == "__main__":
    print(json.dumps(expected(*sys.argv[1:2]), indent=2))
