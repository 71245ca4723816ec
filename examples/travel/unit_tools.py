"""A tool of our own: it converts a value from one unit to another, exactly."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, TypedDict

from agentkit import Retry, tool

Unit = Literal[
    "km", "m", "miles", "yards", "feet", "inches", "kg", "g", "lb", "ounces", "litres", "gallons_us", "gallons_uk"
]

# What one of each unit is in metres, kilograms or litres, by definition.
KINDS: dict[str, dict[Unit, str]] = {
    "length": {"km": "1000", "m": "1", "miles": "1609.344", "yards": "0.9144", "feet": "0.3048", "inches": "0.0254"},
    "weight": {"kg": "1", "g": "0.001", "lb": "0.45359237", "ounces": "0.028349523125"},
    "volume": {"litres": "1", "gallons_us": "3.785411784", "gallons_uk": "4.54609"},
}


class Converted(TypedDict):
    """A value and its unit."""

    value: float
    unit: Unit


@tool(effect="pure")
def convert_unit(value: float, from_unit: Unit, to_unit: Unit) -> Converted:
    """Convert a length, weight or volume to another unit.

    Args:
        value: The number, such as 26.2.
        from_unit: The unit it is in, such as "miles".
        to_unit: The unit that is wanted, such as "km".
    """
    for kind, factors in KINDS.items():
        if from_unit not in factors:
            continue
        if to_unit not in factors:
            raise Retry(f"{from_unit!r} is a {kind}; to_unit must be one of {', '.join(factors)}")
        exact = Fraction(str(value)) * Fraction(factors[from_unit]) / Fraction(factors[to_unit])
        return Converted(value=round(float(exact), 6), unit=to_unit)
    raise Retry(f"there is no unit {from_unit!r}")
