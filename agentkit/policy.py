"""Which calls a run may make, and which a person is asked about: `Policy.decide` says it, and does nothing else.

In this order:

1. What `Policy.deny` names is denied, and so is what `Policy.allow` does not name.
2. What `Policy.ask` names is asked about.
3. A call with effects that untrusted text may have decided is asked about (`agentkit.untrusted_calls`).
4. All else is allowed.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agentkit.errors import ArgumentError, SchemaError, UsageError
from agentkit.labels import UNTRUSTED, CallLabels, LabelBook
from agentkit.messages import JsonObject, JsonValue, is_object
from agentkit.model_backend.constraint.keywords import ENFORCED, NOT_IN_GRAMMARS, subschemas
from agentkit.model_backend.constraint.validation import validate
from agentkit.planners.check_graph import nearest
from agentkit.untrusted_calls import why_ask

if TYPE_CHECKING:
    from agentkit.tools.registry import ToolRegistry
    from agentkit.tools.tool import Sink, Tool

__all__ = ["Action", "Policy", "Problem", "Rule", "SinkRule", "Verdict"]

Action: TypeAlias = Literal["allow", "ask", "deny"]

_KEYWORDS = sorted(k for k in ENFORCED | NOT_IN_GRAMMARS if not k.startswith("$"))
"""What a condition may say; a keyword that is spelled wrong would let everything through."""


_LATER: Any = object()
"""Stands for a value that only the run will know."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Names calls: those of tools, under a condition when there is one."""

    tool: str
    """Pattern of tool names, such as ``read_*``."""
    when: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    """JSON Schemas by argument: the rule is about calls in which each of these is there, or has a default, and fits."""

    def __post_init__(self) -> None:
        for name, schema in self.when.items():
            _check_condition(self.tool, name, schema)

    def names(self, tool: str) -> bool:
        """Returns whether it is about a tool."""
        return fnmatch.fnmatchcase(tool, self.tool)

    def holds(self, tool: Tool, values: JsonObject) -> bool:
        """Returns whether it names a call."""
        return self.names(tool.name) and all(
            name in values and values[name] is not _LATER and not validate(schema, values[name])
            for name, schema in self.when.items()
        )

    def __str__(self) -> str:
        return f"{self.tool} when {dict(self.when)}" if self.when else self.tool


@dataclass(frozen=True, slots=True)
class SinkRule:
    """Says of tools that untrusted text must not decide what they do."""

    tool: str
    """Pattern of tool names."""
    arguments: tuple[str, ...] = ()
    """The arguments that decide; empty for all."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of a call."""

    action: Action
    reason: str = ""
    """Why it is not simply allowed, for a person or for the model."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a policy that does not fit the tools."""

    place: tuple[str | int, ...]
    """Keys and indices that lead to it."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Which tools may be called, and when a person is asked. Patterns may stand for rules.

    Example:
        >>> policy = Policy(ask=[Rule("send_money", when={"amount": {"exclusiveMinimum": 100}})], deny=["delete_*"])
        >>> policy.permits("delete_file"), policy.permits("send_money")
        (False, True)
    """

    allow: Sequence[str | Rule] = ()
    """What may be called; empty allows all."""
    ask: Sequence[str | Rule] = ()
    """What a person is asked about each time."""
    deny: Sequence[str | Rule] = ()
    """What may not be called; a tool that never may be is not shown to the model."""
    untrusted: Sequence[str] = ()
    """Patterns of tools whose results strangers may have written."""
    trusted: Sequence[str] = ()
    """Patterns of tools whose results are as good as the user's own words, whatever the tools say of themselves."""
    sinks: Sequence[str | SinkRule] = ()
    """Tools with effects that untrusted text must not decide, besides those that say so of themselves."""

    def permits(self, tool: str) -> bool:
        """Returns whether there may be calls of the tool of that name; otherwise it is not shown to the model."""
        if any(rule.names(tool) and not rule.when for rule in _rules(self.deny)):
            return False
        return not self.allow or any(rule.names(tool) for rule in _rules(self.allow))

    def source(self, tool: Tool) -> str | None:
        """Returns what the results of a tool hold, see `agentkit.tools.tool.Tool.source`."""
        if _any(self.untrusted, tool.name):
            return UNTRUSTED
        return None if _any(self.trusted, tool.name) else tool.source

    def sink(self, tool: Tool) -> Sink:
        """Returns in which arguments untrusted text must not decide what a call does."""
        for rule in self.sinks:
            rule = SinkRule(rule) if isinstance(rule, str) else rule
            if fnmatch.fnmatchcase(tool.name, rule.tool):
                return rule.arguments or True
        return tool.sink or tool.effect in ("once", "keyed")

    def decide(self, tool: Tool, arguments: JsonObject, labels: CallLabels | None = None, *, said: str = "") -> Verdict:
        """Returns what is to become of a call. It has no effects, and the same call gets the same verdict.

        Args:
            tool: The tool.
            arguments: What it is called with.
            labels: Where the call comes from; by default, it is the user's own.
            said: What the user said, in the user's words.
        """
        try:
            values = _values(tool, arguments)
        except ArgumentError:
            return Verdict("allow")  # the tool refuses it, and says why
        return self._judge(tool, values, labels or CallLabels(), said)

    def foresee(self, tool: Tool, known: JsonObject, later: Collection[str], labels: CallLabels) -> Verdict:
        """Returns what can be said of a call before its plan runs; rules about values to come are left out.

        Args:
            tool: The tool.
            known: The arguments that stand in the plan.
            later: The names of those that come from results.
            labels: Where the call comes from.
        """
        open_allow = any(rule.names(tool.name) and set(rule.when) & set(later) for rule in _rules(self.allow))
        policy = replace(self, allow=()) if open_allow else self
        return policy._judge(tool, _defaults(tool) | dict.fromkeys(later, _LATER) | known, labels, "")

    def _judge(self, tool: Tool, values: JsonObject, labels: CallLabels, said: str) -> Verdict:
        for rule in _rules(self.deny):
            if rule.holds(tool, values):
                return Verdict("deny", f"the policy denies this call of {tool.name!r}{_because(rule)}")
        if self.allow and not any(rule.holds(tool, values) for rule in _rules(self.allow)):
            because = "; ".join(_because(rule) for rule in _rules(self.allow) if rule.names(tool.name))
            return Verdict("deny", f"the policy does not allow this call of {tool.name!r}{because}")
        for rule in _rules(self.ask):
            if rule.holds(tool, values):
                return Verdict("ask", f"the policy asks about {tool.name!r}{_because(rule)}")
        reason = why_ask(tool, self.sink(tool), values, labels, said=said)
        return Verdict("ask", reason) if reason else Verdict("allow")

    def open_book(self, tools: ToolRegistry) -> LabelBook:
        """Returns a book that keeps where the results of a run's tools come from.

        Args:
            tools: The tools; there may be more later.
        """

        def source(name: str) -> str | None:
            return self.source(tools.get(name)) if name in tools else None

        return LabelBook(source, lambda name: tools.get(name).own if name in tools else ())

    def problems(self, tools: Iterable[Tool]) -> Iterator[Problem]:
        """Yields what does not fit the tools: names that are no tool's, and arguments that a tool does not have.

        Args:
            tools: All tools, also those that the policy keeps away.
        """
        known = {tool.name: tool for tool in tools}
        for kind in ("allow", "ask", "deny", "untrusted", "trusted", "sinks"):
            rules: Sequence[str | Rule | SinkRule] = getattr(self, kind)
            for i, rule in enumerate(rules):
                pattern = rule if isinstance(rule, str) else rule.tool
                named = [known[name] for name in fnmatch.filter(known, pattern)]
                place = (kind, i) if isinstance(rule, str) else (kind, i, "tool")
                if not named:
                    yield Problem(place, f"no tool is called {pattern!r}; {nearest(pattern, known, 'tools')}")
                elif not isinstance(rule, str):
                    yield from _argument_problems((kind, i), rule, named)

    def to_json(self) -> JsonObject:
        """Returns the policy as a task file has it."""
        found: JsonObject = {}
        for kind in ("allow", "ask", "deny", "untrusted", "trusted", "sinks"):
            if rules := getattr(self, kind):
                found[kind] = [_rule_to_json(rule) for rule in rules]
        return found


def _rules(rules: Sequence[str | Rule]) -> Iterator[Rule]:
    return (Rule(rule) if isinstance(rule, str) else rule for rule in rules)


def _any(patterns: Sequence[str], name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _because(rule: Rule) -> str:
    return f" when {', '.join(f'{name} is {schema}' for name, schema in rule.when.items())}" if rule.when else ""


def _values(tool: Tool, arguments: JsonObject) -> JsonObject:
    """Returns the arguments as the tool takes them, as JSON, with its defaults.

    A model may write ``"150"`` for a number; a condition has to see the number.
    """
    from pydantic_core import to_jsonable_python

    given: JsonObject = to_jsonable_python(tool.validate(arguments), fallback=str, inf_nan_mode="strings")
    return _defaults(tool) | given


def _defaults(tool: Tool) -> JsonObject:
    properties: Mapping[str, Any] = tool.parameters.get("properties", {})
    return {name: schema["default"] for name, schema in properties.items() if "default" in schema}


def _argument_problems(place: tuple[str | int, ...], rule: Rule | SinkRule, tools: Sequence[Tool]) -> Iterator[Problem]:
    within = (*place, "when" if isinstance(rule, Rule) else "arguments")
    for i, name in enumerate(rule.when if isinstance(rule, Rule) else rule.arguments):
        for tool in tools:
            parameters = tool.parameters.get("properties", {})
            if name not in parameters:
                advice = nearest(name, parameters, "arguments")
                where = (*within, name if isinstance(rule, Rule) else i)
                yield Problem(where, f"{tool.name!r} has no argument {name!r}; {advice}")


def _check_condition(tool: str, name: str, schema: Any) -> None:
    where = f"the condition on {name!r} of {tool!r}"
    if not is_object(schema) or not schema:
        raise UsageError(f"{where} must be a JSON Schema such as {{'exclusiveMinimum': 100}}, not {schema!r}")
    for keyword in _keywords(schema):
        if keyword not in _KEYWORDS:
            raise UsageError(f"{where} has the unknown keyword {keyword!r}; {nearest(keyword, _KEYWORDS, 'keywords')}")
    try:
        validate(schema, None)
    except SchemaError as error:
        raise UsageError(f"{where} can't be used: {error}") from None


def _keywords(schema: JsonObject) -> Iterator[str]:
    yield from schema
    for _, part in subschemas(schema):
        if is_object(part):
            yield from _keywords(part)


def _rule_to_json(rule: str | Rule | SinkRule) -> JsonValue:
    if isinstance(rule, str):
        return rule
    if isinstance(rule, Rule):
        return {"tool": rule.tool} | ({"when": dict(rule.when)} if rule.when else {})
    return {"tool": rule.tool} | ({"arguments": list(rule.arguments)} if rule.arguments else {})
