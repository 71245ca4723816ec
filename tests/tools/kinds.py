"""Types that signatures under test use; at the top of a module, as users have them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, Required, TypedDict, TypeVar

from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Unit(enum.StrEnum):
    METRE = "m"
    FOOT = "ft"


@dataclass
class Point:
    x: int
    y: int = 0


@dataclass
class Line:
    start: Point
    end: Point
    tags: list[str] = field(default_factory=list[str])


class Place(TypedDict):
    name: str
    zip: NotRequired[int]


class Loose(TypedDict, total=False):
    a: Required[int]
    b: str


class Tree(TypedDict):
    value: int
    children: list[Tree]


@dataclass
class Home:
    place: Place
    since: int | None = None


class Person(BaseModel):
    """Someone."""

    name: str = Field(description="Full name")
    age: int = Field(ge=0)
    nick: str | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    a: int


class Node(BaseModel):
    value: int
    next: Node | None = None


class Pair(NamedTuple):
    left: int
    right: str


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    item: T


UserId = NewType("UserId", int)
Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


def fits(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value fits a JSON Schema."""
    validator: Any = Draft202012Validator(schema)
    return bool(validator.is_valid(value))
