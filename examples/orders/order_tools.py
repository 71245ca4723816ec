"""Tools of the user's own: how this shop's orders are written."""

import re
from collections import defaultdict
from typing import TypedDict

from agentkit import ToolContext, ToolFailed, tool

ITEM = re.compile(r"(?P<count>\d+) x (?P<article>.+) at (?P<price>\d+\.\d\d)")
DISCOUNT = re.compile(r"discount (?P<percent>\d+) %")


class Order(TypedDict):
    """One order."""

    number: int
    customer: str
    amount: float


class Summary(TypedDict):
    """All orders together."""

    orders: int
    total: float
    best_customer: str
    best_customer_total: float


@tool(effect="pure")
def list_orders(folder: str, context: ToolContext) -> list[str]:
    """List the order files of a folder.

    Args:
        folder: Folder of the orders.
    """
    found = sorted((context.workspace / folder).glob("*.txt"))
    if not found:
        raise ToolFailed(f"there are no orders in {folder!r}; the task names the folder")
    return [f"{folder}/{path.name}" for path in found]


@tool(effect="pure")
def read_order(file: str, context: ToolContext) -> Order:
    """Read one order file: its number, customer and amount.

    Args:
        file: Path of the order file.
    """
    path = context.workspace / file
    if not path.is_file():
        raise ToolFailed(f"there is no order file {file!r}; list_orders gives the paths")
    lines = path.read_text(encoding="utf-8").splitlines()
    customer = next(line for line in lines if line.startswith("Customer: "))
    amount = sum(int(m["count"]) * float(m["price"]) for m in map(ITEM.fullmatch, lines) if m)
    for discount in filter(None, map(DISCOUNT.fullmatch, lines)):
        amount *= 1 - int(discount["percent"]) / 100
    return {
        "number": int(lines[0].removeprefix("Order ")),
        "customer": customer.removeprefix("Customer: ").split(",")[0],
        "amount": round(amount, 2),
    }


@tool(effect="pure")
def summarize(orders: list[Order]) -> Summary:
    """Add up orders and find the best customer.

    Args:
        orders: All orders, as read_order gives them.
    """
    spent: defaultdict[str, float] = defaultdict(float)
    for order in orders:
        spent[order["customer"]] += order["amount"]
    best = max(spent, key=lambda customer: spent[customer])
    return {
        "orders": len(orders),
        "total": round(sum(spent.values()), 2),
        "best_customer": best,
        "best_customer_total": round(spent[best], 2),
    }
