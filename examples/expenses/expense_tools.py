"""Three tools of our own for one job: load expenses, convert them, total them by month.

The rows stay in the run's state; the model only says what is to be done next.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from decimal import Decimal
from typing import TypedDict

from agentkit import Retry, ToolContext, tool
from agentkit.tools.cells import to_number
from agentkit.tools.dates import to_date
from agentkit.tools.workspace import read_text


class Expense(TypedDict):
    """One receipt, as it is kept in the run's state."""

    month: str
    amount: str
    currency: str


class Loaded(TypedDict):
    """How many expenses there are in each currency, and how many rows could not be used."""

    expenses: int
    currencies: dict[str, int]
    skipped_rows: dict[str, int]
    next: str


class Converted(TypedDict):
    """How many expenses are in the currency now, and how many there was no rate for."""

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
    """Load a CSV file of expenses, such as "expenses.csv". Call this first."""
    text, _ = read_text(context.workspace, file)
    expenses: dict[str, Expense] = {}
    skipped = Counter[str]()
    for row in csv.DictReader(io.StringIO(text)):
        try:
            expense = _expense(row)
        except ValueError as error:
            skipped[str(error)] += 1
            continue
        if expenses.setdefault(row["Receipt"], expense) is not expense:
            skipped["receipt is there twice"] += 1
    context.state["expenses"] = list(expenses.values())
    currencies = dict(Counter(e["currency"] for e in expenses.values()))
    return Loaded(
        expenses=len(expenses), currencies=currencies, skipped_rows=dict(skipped), next="call convert_expenses"
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
    return Expense(month=f"{day:%Y-%m}", amount=str(amount), currency=currency)


@tool(effect="idempotent")
def convert_expenses(currency: str, context: ToolContext) -> Converted:
    """Convert the loaded expenses to one currency, such as "EUR". Call this second."""
    loaded: list[Expense] | None = context.state.get("expenses")
    if loaded is None:
        raise Retry("no expenses are loaded; call load_expenses first")
    text, _ = read_text(context.workspace, "rates.csv")
    rates = {row["currency"]: Decimal(row["in_eur"]) for row in csv.DictReader(io.StringIO(text))}
    wanted = currency.strip().upper()
    if wanted not in rates:
        raise Retry(f"there is no rate for {currency!r}; give one of {', '.join(rates)}")
    converted: list[Expense] = []
    without_rate = Counter[str]()
    for expense in loaded:
        if (rate := rates.get(expense["currency"])) is None:
            without_rate[expense["currency"]] += 1
            continue
        amount = Decimal(expense["amount"]) * rate / rates[wanted]
        converted.append(Expense(month=expense["month"], amount=str(amount), currency=wanted))
    context.state["converted"] = converted
    return Converted(
        currency=wanted, expenses=len(converted), skipped_without_rate=dict(without_rate), next="call total_by_month"
    )


@tool(effect="idempotent")
def total_by_month(context: ToolContext) -> Totals:
    """Total the converted expenses by month and name the largest month. Call this last."""
    converted: list[Expense] = context.state.get("converted", [])
    if not converted:
        raise Retry("no expenses are converted; call load_expenses, then convert_expenses")
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for expense in converted:
        sums[expense["month"]] += Decimal(expense["amount"])
    totals = [MonthTotal(month=month, total=round(float(total), 2)) for month, total in sorted(sums.items())]
    return Totals(currency=converted[0]["currency"], totals=totals, largest=max(totals, key=lambda t: t["total"]))
