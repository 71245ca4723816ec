"""Exact arithmetic on an expression, without ``eval``.

Numbers are fractions until the end, so ``0.1 + 0.2`` is 0.3 and sums of money come out to the cent. The expression is
parsed by Python's own parser and only the nodes listed here are worked out; size is bounded at each step.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction

from agentkit.errors import Retry
from agentkit.tools.decorator import tool

__all__ = ["calculate"]

_MAX_CHARACTERS = 1000
_MAX_BITS = 4000  # some 1,200 digits; Python writes no integer of more than 4,300
_PRECISION = 50  # digits of roots and fractional powers, which are not exact

_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"})
_BINARY: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction | int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: operator.mod,
}


@tool(effect="pure")
def calculate(expression: str) -> int | float:
    """Work out an arithmetic expression exactly.

    Args:
        expression: Numbers with + - * / // % **, round(x, places), ceil(x) to round up, floor(x) to
            round down, abs, min, max, sum, sqrt. No thousands separators.

    Returns:
        The exact number when it is whole, or else the nearest decimal of 17 digits.

    Raises:
        agentkit.errors.Retry: The expression is not arithmetic, divides by zero, or grows too large.

    Example:
        >>> calculate("(0.1 + 0.2) * 3")
        0.9
    """
    if len(expression) > _MAX_CHARACTERS:
        raise Retry(f"the expression has {len(expression)} characters; {_MAX_CHARACTERS} are allowed: split it up")
    source = " ".join(expression.translate(_SIGNS).split())
    if not source:
        raise Retry("the expression is empty; give one such as '(1234.5 + 99) * 0.92'")
    try:
        return _render(_value(ast.parse(source, mode="eval").body, source))
    except SyntaxError:
        raise Retry(f"{expression!r} is not an arithmetic expression{_hint(source)}") from None
    except (RecursionError, MemoryError):
        raise Retry("the expression is nested too deeply; split it up") from None
    except ZeroDivisionError:
        raise Retry(f"{expression!r} divides by zero") from None


def _value(node: ast.expr, source: str) -> Fraction:
    """Returns the value of a node of the parsed expression."""
    match node:
        case ast.Constant(value=bool() | str() | bytes() | complex() | None):
            raise Retry(f"{ast.unparse(node)} is not a number; only numbers can be worked with")
        case ast.Constant(value=int(number)):
            return _bounded(Fraction(number))
        case ast.Constant(value=float()):
            return _literal(node, source)
        case ast.UnaryOp(op=ast.UAdd() | ast.USub() as sign, operand=operand):
            value = _value(operand, source)
            return -value if isinstance(sign, ast.USub) else value
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left, source), _value(right, source))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _bounded(Fraction(_BINARY[type(op)](_value(left, source), _value(right, source))))
        case ast.Call(
            func=ast.Name(id=name) | ast.Attribute(value=ast.Name(id="math"), attr=name), args=arguments, keywords=[]
        ) if name in _FUNCTIONS:  # models write math.ceil(...) whatever they are told
            return _call(name, arguments, source)
        case _:
            raise Retry(f"{ast.unparse(node)!r} can't be worked out{_hint(source, node)}")


def _literal(node: ast.Constant, source: str) -> Fraction:
    # The text, not the float that Python made of it, has all digits.
    text = (ast.get_source_segment(source, node) or repr(node.value)).replace("_", "")
    if abs(Decimal(text).adjusted()) > 300:
        raise Retry(f"{text} is too large or too small to work with")
    return _bounded(Fraction(text))


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if base == 0 and exponent < 0:
        raise ZeroDivisionError
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if bits * abs(exponent) > _MAX_BITS:
        raise Retry(f"a power has more than {_MAX_BITS} bits; that is too large to work out")
    if exponent.denominator == 1:
        return Fraction(base**exponent.numerator)
    if base < 0:
        raise Retry("a negative number has no fractional power; use a whole exponent")
    with localcontext() as context:
        context.prec = _PRECISION
        return Fraction(_decimal(base) ** _decimal(exponent))


def _call(name: str, arguments: list[ast.expr], source: str) -> Fraction:
    # max([1, 2]) and max(1, 2) are the same.
    if len(arguments) == 1 and isinstance(arguments[0], ast.List | ast.Tuple):
        arguments = arguments[0].elts
    values = [_value(a, source) for a in arguments]
    low, high = _ARITY[name]
    if not low <= len(values) <= high:
        wanted = f"{low}" if low == high else f"{low} to {high}" if high < _MANY else f"at least {low}"
        raise Retry(f"{name}() takes {wanted} number{'s' * (high > 1)}, not {len(values)}")
    return _bounded(Fraction(_FUNCTIONS[name](values)))


def _round(values: list[Fraction]) -> Fraction:
    """Rounds as people do: halves go away from zero."""
    value, places = values[0], values[1] if len(values) > 1 else Fraction(0)
    if places.denominator != 1 or abs(places) > 50:
        raise Retry("round() takes a whole number of places up to 50")
    scale = Fraction(10) ** int(places)
    return Fraction(math.floor(abs(value) * scale + Fraction(1, 2)), 1) / scale * (-1 if value < 0 else 1)


def _sqrt(values: list[Fraction]) -> Fraction:
    value = values[0]
    if value < 0:
        raise Retry("a negative number has no square root")
    roots = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if (roots[0] ** 2, roots[1] ** 2) == (value.numerator, value.denominator):
        return Fraction(*roots)
    with localcontext() as context:
        context.prec = _PRECISION
        return Fraction(_decimal(value).sqrt())


_MANY = 1000
_FUNCTIONS: dict[str, Callable[[list[Fraction]], Fraction | int]] = {
    "abs": lambda v: abs(v[0]),
    "ceil": lambda v: math.ceil(v[0]),
    "floor": lambda v: math.floor(v[0]),
    "max": max,
    "min": min,
    "round": _round,
    "sqrt": _sqrt,
    "sum": lambda v: sum(v, Fraction(0)),
}
_ARITY = dict.fromkeys(_FUNCTIONS, (1, 1)) | {"round": (1, 2)} | dict.fromkeys(("max", "min", "sum"), (1, _MANY))


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        raise Retry(f"a number grows beyond {_MAX_BITS} bits; that is too large to work out")
    return value


def _render(value: Fraction) -> int | float:
    if value.denominator == 1:
        return value.numerator
    try:
        number = float(value)
    except OverflowError:
        raise Retry("the result is too large for a decimal number; round() it to a whole one") from None
    if number == 0:
        raise Retry("the result is too small for a decimal number; multiply it")
    return number


def _hint(source: str, node: ast.expr | None = None) -> str:
    """Returns the end of a message: the likeliest fix."""
    if "%" in source:
        return "; a percentage is written as a fraction: 15% of 200 is 0.15 * 200"
    if "^" in source:
        return "; a power is written **"
    if isinstance(node, ast.Tuple):
        return "; write numbers without thousands separators: 1234.5, not 1,234.5"
    if isinstance(node, ast.Call):
        return f"; there are the functions {', '.join(sorted(_FUNCTIONS))}"
    if isinstance(node, ast.Name):
        return "; there are no variables: write the number"
    return "; write numbers, + - * / // % ** and parentheses"
