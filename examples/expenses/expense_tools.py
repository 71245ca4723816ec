"""Three tools of our own for one job: load expenses, convert them, total them by month.

The rows stay in the run's state; the model only says what is to be done next.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypedDict

from agentkit import Retry, ToolContext, tool
from agentkit.tools.cells import to_number
from agentkit.tools.dates import to_date
from agentkit.tools.workspace import read_text

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Expense:
    """One receipt."""

    receipt: str
    day: date
    amount: Decimal
    currency: str


class Loaded(TypedDict):
    """How many expenses there are, in which currencies, and which rows could not be used."""

    expenses: int
    currencies: dict[str, int]
    skipped_rows: dict[str, int]
    next: str


class Converted(TypedDict):
    """How many expenses are in the currency now, and which ones could not be converted."""

    currency: str
    expenses: int
    skipped_without_rate: dict[str, int]
    next: str


class MonthTotal(TypedDict):
    """What was spent in a month."""

    month: str
    total: float


class Totals(TypedDict):
    """All months, and the largest one."""

    currency: str
    totals: list[MonthTotal]
    largest: MonthTotal


@tool(effect="idempotent")
def load_expenses(file: str, context: ToolContext) -> Loaded:
    """Load a CSV file of expenses. Call this first.

    Args:
        file: Such as "expenses.csv".
    """
    text, _ = read_text(context.workspace, file)
    expenses: dict[str, Expense] = {}
    skipped = Counter[str]()
    for row in csv.DictReader(io.StringIO(text)):
        try:
            expense = _expense(row)
        except ValueError as error:
            skipped[str(error)] += 1
            continue
        if expenses.setdefault(expense.receipt, expense) is not expense:
            skipped["receipt is there twice"] += 1
    context.state["expenses"] = list(expenses.values())
    currencies = Counter(e.currency for e in expenses.values())
    return Loaded(
        expenses=len(expenses),
        currencies=dict(currencies.most_common()),
        skipped_rows=dict(skipped),
        next="convert_expenses",
    )


def _expense(row: dict[str, str]) -> Expense:
    """Returns the expense in a row; the error says what is wrong with the row."""
    if not row["Receipt"]:
        raise ValueError("no receipt number")
    try:
        amount = to_number(row["Amount"])
    except ValueError:
        raise ValueError("amount is blank or no number") from None
    try:
        day = to_date(row["Date"], day_first=True)
    except ValueError:
        raise ValueError("date does not exist") from None
    if not (currency := row["Currency"].strip().upper()):
        raise ValueError("no currency")
    return Expense(row["Receipt"], day, amount, currency)


@tool(effect="idempotent")
def convert_expenses(currency: str, context: ToolContext) -> Converted:
    """Convert the loaded expenses to one currency, with the rates in rates.csv.

    Args:
        currency: Such as "EUR".
    """
    if (loaded := context.state.get("expenses")) is None:
        raise Retry("no expenses are loaded; call load_expenses first")
    text, _ = read_text(context.workspace, "rates.csv")
    rates = {row["currency"]: Decimal(row["in_eur"]) for row in csv.DictReader(io.StringIO(text))}
    if (wanted := currency.strip().upper()) not in rates:
        raise Retry(f"there is no rate for {currency!r}; give one of {', '.join(rates)}")
    usable = [e for e in loaded if e.currency in rates]
    context.state["converted"] = [(e.day, e.amount * rates[e.currency] / rates[wanted]) for e in usable]
    context.state["currency"] = wanted
    without_rate = Counter(e.currency for e in loaded if e.currency not in rates)
    return Converted(
        currency=wanted, expenses=len(usable), skipped_without_rate=dict(without_rate), next="total_by_month"
    )


@tool(effect="idempotent")
def total_by_month(context: ToolContext) -> Totals:
    """Total the converted expenses by month and name the largest month. Call this last."""
    if "converted" not in context.state:
        raise Retry("no expenses are converted; call load_expenses, then convert_expenses")
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for day, amount in context.state["converted"]:
        sums[f"{day:%Y-%m}"] += amount
    totals = [MonthTotal(month=m, total=float(t.quantize(CENT))) for m, t in sorted(sums.items())]
    return Totals(currency=context.state["currency"], totals=totals, largest=max(totals, key=lambda t: t["total"]))
