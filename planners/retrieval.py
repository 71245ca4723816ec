"""Chooses the tools that a task needs out of many, so that a prompt holds only those.

The choice is lexical, so it costs no model turn, and the same task always gets the same tools:

1. Each tool is scored by the words it shares with the task (BM25), and with the part of the task that it is best for:
   a request for several things names some of them with one word only.
2. A tool that would be chosen brings the one whose results look most like what it requires: a task names an artist,
   and the tool for albums wants the artist's id.
3. Tools of one family, whose names begin alike (``Hotels.Search``, ``Hotels.Reserve``), lift each other a little.
4. Those that come far behind the best are told as others: a small model calls what it is shown. They are not left out,
   because a task may need what it has no word for ("15 percent of the total" needs a calculator).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agentkit.messages import is_object
from agentkit.model_backend.base import ToolSpec

__all__ = ["Choice", "choose_tools", "words"]

FEW = 6
"""Tools that are not put in order, so that the prompt of another task begins the same."""
LIMIT = 20
"""How many tools are chosen."""
LIKELY = 0.2
"""Share of the best score from which a tool is likely. Of the eight tools that come with each task of NESTFUL, four in
five of those that are not needed have less, and 2 % of those that are."""

_WORD = re.compile(r"[^\W\d_]+|\d+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z](?!s(?![a-z]))[a-z])")
"""Where a word of an identifier ends: getUser|IDs, HTTP|Server."""
_PART_END = re.compile(r"(?<=[.!?;])\s+|,\s+(?:and|then|but)?|\s+(?:and|then)\s+", re.IGNORECASE)
_FAMILY_END = re.compile(r"[._]|(?<=[a-z])(?=[A-Z])")
_STOP_WORDS = (
    "a an and are as at be by can could do find for from get give has have how i in is it its list me my need of on "
    "or please show tell that the their them then these they this to want was what when where which who will with "
    "would you your"
)
_VERBS = "analyze calculate check compute create determine display fetch generate make provide retrieve return search"
"""What many tools do, each with something else: by these words alone a tool is not meant."""
_STOP = frozenset(_STOP_WORDS.split())
_KINDS = {
    "currency": "usd dollar eur euro gbp sterling jpy yen chf franc cny yuan inr rupee krw brl",
    "language": "english spanish french german italian portuguese dutch polish russian chinese japanese korean arabic",
}
"""What tasks name by an example: "in euros" asks for a currency."""

_NAME_CHARS = 60
"""Characters of the longest texts whose words are remembered: names, and no results."""
_NAME, _TEXT, _PARAMETER, _MINOR = 3.0, 1.0, 0.5, 0.25
"""What a word counts for in a tool's name, in its description, as a parameter, and anywhere else."""
_SATURATION, _LENGTH = 1.2, 0.75
"""BM25's k1 and b."""
_PARTS = 0.5
"""Weight of the best part of the task; the rest is for the whole."""
_PRODUCER = 0.8
_SURE = 1.5
"""How many of the rarest words, found, make it sure that a tool gives what another requires."""
_FAMILY = 0.3
_LARGEST_FAMILY = 8
_SEEDS = 10
"""The best tools, which bring others."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The tools that a task most likely needs, the likeliest first; of a few tools all, as they are given."""

    tools: Sequence[ToolSpec]
    likely: frozenset[str]
    """The names of those that come near the best; the others may be needed for what the task has no word for."""


def choose_tools(task: str, tools: Sequence[ToolSpec], *, limit: int = LIMIT) -> Choice:
    """Returns the tools that a task most likely needs.

    Small models look for the next call among the first tools of a list.

    Args:
        task: What is asked.
        tools: All tools that there are.
        limit: How many to choose, at most.
    """
    if len(tools) <= min(limit, FEW):
        return Choice(tools, frozenset(tool.name for tool in tools))
    scores = _task_scores(task, _Index([_declaration(tool) for tool in tools]))
    seeds = sorted(range(len(tools)), key=lambda i: -scores[i])[:_SEEDS]
    lifts = [max(pair) for pair in zip(_producers(tools, seeds, scores), _families(tools, seeds, scores), strict=True)]
    total = [score + lift for score, lift in zip(scores, lifts, strict=True)]
    order = sorted(range(len(tools)), key=lambda i: -total[i])[:limit]
    least = LIKELY * max(total)
    return Choice([tools[i] for i in order], frozenset(tools[i].name for i in order if total[i] >= least))


def words(text: str) -> list[str]:
    """Returns the words of a text or an identifier, in small letters, without endings and without empty words.

    Example:
        >>> words("getUserIDs: lists the user's IDs_v2")
        ['user', 'id', 'list', 'user', 'id', 'v', '2']
    """
    return [*(_words_of_name(text) if len(text) <= _NAME_CHARS else _words(text))]


def _words(text: str) -> tuple[str, ...]:
    found = (word.lower() for word in _WORD.findall(_HUMP.sub(" ", text.replace("'s ", " "))))
    return tuple(_stem(word) for word in found if word not in _STOP)


_words_of_name = lru_cache(maxsize=20_000)(_words)


class _Index:
    """Documents as weighted words, to be scored by BM25."""

    def __init__(self, documents: Sequence[Mapping[str, float]]) -> None:
        count = len(documents)
        found_in = Counter(word for document in documents for word in document)
        self._documents = documents
        self._rarity = {word: math.log(1 + (count - n + 0.5) / (n + 0.5)) for word, n in found_in.items()}
        self._mean = sum(sum(document.values()) for document in documents) / count or 1.0
        self.most = max(self._rarity.values(), default=0.0) * (_SATURATION + 1)
        """What one word can score."""

    def scores(self, query: Mapping[str, float]) -> list[float]:
        """Returns the score of each document."""
        return [self._score(document, query) for document in self._documents]

    def _score(self, document: Mapping[str, float], query: Mapping[str, float]) -> float:
        length = 1 - _LENGTH + _LENGTH * sum(document.values()) / self._mean
        return sum(
            weight * self._rarity[word] * count * (_SATURATION + 1) / (count + _SATURATION * length)
            for word, weight in query.items()
            if (count := document.get(word, 0.0))
        )


def _task_scores(task: str, index: _Index) -> list[float]:
    """Returns the scores of the tools for the task itself; the best has 1."""
    whole = _normed(index.scores(_query(task)))
    parts = [query for text in _PART_END.split(task) if len(query := _query(text)) > 1]
    if len(parts) < 2:
        return whole
    each = zip(*(_normed(index.scores(part)) for part in parts), strict=True)
    return _normed([(1 - _PARTS) * score + _PARTS * max(best) for score, best in zip(whole, each, strict=True)])


def _producers(tools: Sequence[ToolSpec], seeds: Sequence[int], scores: Sequence[float]) -> list[float]:
    """Returns how much each tool is lifted because another requires what it gives."""
    index = _Index([_results(tool) for tool in tools])
    lifts = [0.0] * len(tools)
    for seed in seeds:
        for required in _required(tools[seed]):
            found = index.scores(required)
            found[seed] = 0.0
            best = max(range(len(tools)), key=found.__getitem__)
            sureness = min(1.0, found[best] / (_SURE * index.most)) if index.most else 0.0
            lifts[best] = max(lifts[best], _PRODUCER * scores[seed] * sureness)
    return lifts


def _families(tools: Sequence[ToolSpec], seeds: Sequence[int], scores: Sequence[float]) -> list[float]:
    """Returns how much each tool is lifted because one of its family is good."""
    families = [_FAMILY_END.split(tool.name, maxsplit=1)[0].lower() for tool in tools]
    sizes = Counter(families)
    lifts = [0.0] * len(tools)
    for seed in seeds:
        if sizes[families[seed]] > _LARGEST_FAMILY or _DOING.issuperset(words(families[seed])):
            continue  # no family, but a word such as "get"
        for i, family in enumerate(families):
            if family == families[seed] and i != seed:
                lifts[i] = max(lifts[i], _FAMILY * scores[seed])
    return lifts


def _declaration(tool: ToolSpec) -> dict[str, float]:
    found: dict[str, float] = {}
    _add(found, tool.name, _NAME)
    _add(found, tool.description, _TEXT)
    if len(words(tool.name)) > 1:
        found |= dict.fromkeys(_DOING & found.keys(), _MINOR)
    for name, text in _properties(tool.parameters):
        _add(found, name, _PARAMETER)
        _add(found, text, _MINOR)
    for name, _ in _properties(tool.returns):
        _add(found, name, _MINOR)
    return found


def _results(tool: ToolSpec) -> dict[str, float]:
    """Returns the words for what a tool gives; none where that is not declared."""
    found: dict[str, float] = {}
    if tool.returns is None:
        return found
    _add(found, tool.name, 2 * _TEXT)
    _add(found, tool.description, _PARAMETER)
    for name, text in _properties(tool.returns):
        _add(found, name, 2 * _TEXT)
        _add(found, text, _PARAMETER)
    return found


def _required(tool: ToolSpec) -> Iterator[dict[str, float]]:
    """Yields, for each parameter that has to be given, the words for it; its name says more than its description."""
    descriptions = dict(_properties(tool.parameters))
    for name in tool.parameters.get("required", ()):
        yield dict.fromkeys(words(descriptions.get(name, "")), 0.5) | dict.fromkeys(words(name), 1.5)


def _properties(schema: Any) -> Iterator[tuple[str, str]]:
    """Yields the names that an object's schema or that of a list's items has, with their descriptions."""
    if not is_object(schema):
        return
    properties = schema.get("properties")
    if is_object(properties):
        for name, inner in properties.items():
            yield name, str(inner.get("description", "")) if is_object(inner) else ""
    elif is_object(schema.get("items")):
        yield from _properties(schema["items"])


def _add(found: dict[str, float], text: str, weight: float) -> None:
    for word in words(text):
        found[word] = found.get(word, 0.0) + weight


def _query(text: str) -> dict[str, float]:
    said = words(text)
    return dict.fromkeys([*said, *(_KIND_OF[word] for word in said if word in _KIND_OF)], 1.0)


def _normed(scores: Sequence[float]) -> list[float]:
    most = max(scores) or 1.0
    return [score / most for score in scores]


def _stem(word: str) -> str:
    """Returns a word without the usual endings: tools and tasks write "convert", "converts" and "converting"."""
    if word.endswith("s") and len(word) > 2 and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        start = word.removesuffix(ending)
        if start != word and len(start) > 2 and re.search("[aeiouy]", start):
            word = start[:-1] if start[-1] == start[-2] and start[-1] not in "lsz" else start
            break
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") and len(word) > 2 else word


_DOING = frozenset(words(_VERBS))
_KIND_OF = {word: words(kind)[0] for kind, examples in _KINDS.items() for word in words(examples)}
