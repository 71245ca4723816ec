"""What holds for any value: JSON → validate → function → JSON gives the value back, and fits the schema."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter
from typing_extensions import TypedDict  # a pydantic model takes no other before Python 3.12

from agentkit.tools.schema import compact
from agentkit.tools.tool import FunctionTool
from tests.tools.kinds import fits


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


class Entry(TypedDict):
    day: date
    amount: Decimal
    tags: list[str]


@dataclass
class Account:
    id: UUID
    size: Size
    entries: list[Entry]
    limit: float | None


class Bank(BaseModel):
    accounts: dict[str, Account]
    kind: Literal["a", "b"]
    opened: datetime
    parent: Bank | None = None


finite = st.floats(allow_nan=False, allow_infinity=False)
entries = st.fixed_dictionaries(
    {
        "day": st.dates(),
        "amount": st.decimals(allow_nan=False, allow_infinity=False),
        "tags": st.lists(st.text()),
    }
)
accounts = st.builds(Account, st.uuids(), st.sampled_from(Size), st.lists(entries, max_size=3), st.none() | finite)
moments = st.datetimes(timezones=st.just(UTC))
banks = st.recursive(
    st.builds(
        Bank,
        accounts=st.dictionaries(st.text(), accounts, max_size=2),
        kind=st.sampled_from(["a", "b"]),
        opened=moments,
    ),
    lambda inner: st.builds(Bank, accounts=st.just({}), kind=st.just("a"), opened=moments, parent=inner),
    max_leaves=3,
)


def echo_bank(
    bank: Bank, days: set[date], pairs: tuple[int, bytes], span: timedelta | None, number: int | str
) -> dict[str, Any]:
    return {"bank": bank, "days": days, "pairs": pairs, "span": span, "number": number}


class Everything(TypedDict):
    bank: Bank
    days: set[date]
    pairs: tuple[int, bytes]
    span: timedelta | None
    number: int | str


echo_bank.__annotations__["return"] = Everything
ECHO = FunctionTool(echo_bank)


@settings(max_examples=150, deadline=None)
@given(
    banks,
    st.sets(st.dates(), max_size=3),
    st.tuples(st.integers(), st.binary()),
    st.none() | st.timedeltas(),
    st.integers() | st.text(),
)
def test_values_survive_the_way_through_a_tool(bank: Any, days: Any, pairs: Any, span: Any, number: Any) -> None:
    values = {"bank": bank, "days": days, "pairs": pairs, "span": span, "number": number}
    sent = ECHO.to_json(values)
    assert isinstance(sent, dict)
    sent["days"].sort()  # a set has no order
    assert fits(ECHO.parameters, sent)
    assert ECHO.validate(json.loads(json.dumps(sent))) == values
    back = asyncio.run(ECHO.invoke(json.loads(json.dumps(sent))))
    assert isinstance(back, dict)
    back["days"].sort()
    assert back == sent
    assert fits(ECHO.returns or {}, back)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["bank", "days", "pairs", "span", "number", "other"]), json_values))
def test_any_json_is_taken_or_refused_in_words(arguments: dict[str, Any]) -> None:
    from agentkit.errors import ArgumentError

    try:
        ECHO.validate(arguments)
    except ArgumentError as error:
        assert str(error).startswith("The arguments of 'echo_bank' do not fit:\n- ")


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_a_compact_schema_accepts_what_the_long_one_accepts(value: Any) -> None:
    long = TypeAdapter(list[Bank] | dict[str, int | None] | Size | None).json_schema()
    assert fits(compact(long), value) == fits(long, value)
