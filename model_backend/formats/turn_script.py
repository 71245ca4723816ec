"""A turn of a model that writes its calls as JSON: what is forced, what is constrained, what is free.

What was learnt from small models, and is built in here:

- Left alone after its first call, a model stops although several were asked for, or goes on for ever; asked first
  to list what it needs to call, it counts well. So a turn that has to call begins with that list, and makes as many
  calls as the list has lines.
- Models that decide to call often write the JSON without the opening that they were taught, in a code block. So a
  call is also recognised by ``{"name": "`` and the name of a tool, and constrained from there.
- The same call twice in a turn is never meant, and a call whose result is there already means that the model has
  nothing left to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from agentkit.messages import Assistant, JsonObject, Piece, Text, Thought, ToolCall, ToolResult
from agentkit.model_backend.base import ToolSpec, TurnRequest, TurnStop
from agentkit.model_backend.constraint import json_schema_grammar
from agentkit.model_backend.constraint.grammar import json_schema_expression
from agentkit.model_backend.constraint.json_text import read_json
from agentkit.model_backend.formats.base import Draft
from agentkit.model_backend.formats.call_style import CallStyle
from agentkit.model_backend.formats.parts import joined, write_parts
from agentkit.model_backend.script import Constrained, Decoded, Free, Grammar, Kind, Literal, Script, Segment

__all__ = ["turn_script"]

_Steps: TypeAlias = Generator[Segment, Decoded, None]

PLAN_OPENING = "I need to call:\n- `"
PLAN_TOKENS = 240
KNOWN_ALREADY = "I have this result already, so I can answer: "
_FENCE = re.compile(r"```[a-z]*\s*$")
_LEXEME = re.compile(r'"(?:[^"\\]|\\.)*"|[:,]\s*|[^\s":,]|\s+')


def turn_script(
    request: TurnRequest,
    style: CallStyle,
    *,
    thought: tuple[str, str],
    lark: Callable[[str], str],
    never: Iterable[int] = (),
) -> Script[Draft]:
    """Returns the script of a turn.

    Args:
        request: What is asked.
        style: How calls are written.
        thought: The texts that open and close a thought.
        lark: Writes text with control tokens in it as a Lark expression.
        never: Control tokens that may not be sampled in thoughts, where the turn can't end.
    """
    return _Turn(request, style, thought, lark, tuple(never)).run()


class _Turn:
    def __init__(
        self,
        request: TurnRequest,
        style: CallStyle,
        thought: tuple[str, str],
        lark: Callable[[str], str],
        never: tuple[int, ...],
    ) -> None:
        self._request = request
        self._style = style
        self._thought = thought
        self._lark = lark
        self._never = never
        self._tools = {tool.name: tool for tool in request.callable_tools}
        self._settled = _settled_calls(request)
        self._left = request.max_tokens
        self._pieces: list[Piece] = []
        self._notes: list[str] = []
        self._stop: TurnStop = "answer"

    def run(self) -> Script[Draft]:
        request = self._request
        if request.thinking:
            yield from self._think()
        if request.parts is not None:
            decoded = yield from write_parts(request.parts, max_tokens=self._left)
            yield from self._finish_answer(joined(decoded))
        elif request.calls == "required" and self._tools:
            yield from self._must_call()
        elif request.calls == "auto" and self._tools and request.output is not None:
            yield from self._call_or_output(request.output)
        elif request.calls == "auto" and self._tools:
            yield from self._may_call()
        else:
            yield from self._answer()
        return Draft(pieces=tuple(self._pieces), stop=self._stop, notes=tuple(self._notes))

    def _put(self, text: str, kind: Kind = "control") -> _Steps:
        if text:
            yield Literal(text=text, kind=kind)

    def _free(self, stop: Sequence[str], *, ends: bool = True) -> Generator[Segment, Decoded, Decoded]:
        ban = () if ends else self._never
        decoded = yield Free(stop=tuple(stop), max_tokens=max(1, self._left), ban=ban)
        self._left -= len(decoded.tokens)
        return decoded

    def _constrained(self, grammar: Grammar, kind: str = "call") -> Generator[Segment, Decoded, Decoded]:
        segment = Constrained(grammar=grammar, max_tokens=max(1, self._left), kind="text" if kind == "text" else "call")
        decoded = yield segment
        self._left -= len(decoded.tokens)
        return decoded

    # Thoughts

    def _think(self) -> _Steps:
        opening, closing = self._thought
        yield from self._put(opening)
        end = closing.strip() or closing
        decoded = yield Free(stop=(end,), max_tokens=self._request.thinking, kind="thought", ban=self._never)
        if decoded.stop == "stop":
            yield from self._put(closing[closing.index(end) + len(end) :])
        else:
            self._notes.append(f"thought cut at {self._request.thinking} tokens")
            yield from self._put(closing)
        if text := decoded.text.strip():
            self._pieces.append(Thought(text))

    # Calls

    def _must_call(self) -> _Steps:
        wanted: list[str | None] = [None]
        if self._request.max_calls > 1:
            wanted = yield from self._plan()
        self._stop = "calls"
        for number, name in enumerate(wanted):
            yield from self._put(self._opening(first=number == 0))
            if not (yield from self._call(name)):
                break
        yield from self._put(self._style.closing)

    def _plan(self) -> Generator[Segment, Decoded, list[str | None]]:
        """Lets the model list what it needs to call; gives the tool of each line, where it names one."""
        yield from self._put(PLAN_OPENING, "thought")
        stops = ("\n\n", "```", (self._style.opening + self._style.before).strip() or '{"name"')
        decoded = yield Free(stop=stops, max_tokens=min(PLAN_TOKENS, self._left), kind="thought", ban=self._never)
        self._left -= len(decoded.tokens)
        text = (PLAN_OPENING + decoded.text).strip()
        self._pieces.append(Thought(text))
        yield from self._put("" if decoded.matched == "\n\n" else "\n\n")
        # Only lines that name a tool count: some models list the arguments below each.
        named = [self._tool_in(line) for line in text.splitlines() if line.startswith("- ")]
        wanted = [name for name in named if name is not None]
        return [*wanted[: self._request.max_calls]] or [None]

    def _tool_in(self, line: str) -> str | None:
        """The tool that a line of the plan names first."""
        found = [(line.index(name), -len(name), name) for name in self._tools if name in line]
        return min(found)[2] if found else None

    def _may_call(self) -> _Steps:
        openings = self._openings()
        decoded = yield from self._free(list(openings))
        if decoded.stop != "stop":
            yield from self._finish_answer(decoded)
            return
        text = decoded.text
        name, rest = openings[decoded.matched]
        fenced = _FENCE.search(text)
        if said := _FENCE.sub("", text).strip():
            self._pieces.append(Text(said))
        self._stop = "calls"
        if name is None:
            yield from self._put(rest)
            going = yield from self._call(None)
        else:
            going = yield from self._arguments(name)
            if fenced:
                yield from self._put("\n```")
        if going and self._calls()[-1] in self._settled:
            yield from self._answer_instead()
        else:
            yield from self._more(going)

    def _answer_instead(self) -> _Steps:
        """Small models repeat a call whose result they have when they should answer: they are told so."""
        repeated = self._pieces.pop()
        assert isinstance(repeated, ToolCall)
        self._notes.append(f"the call of {repeated.name!r} was a repetition: led on to the answer")
        self._stop = "answer"
        yield from self._put(f"{self._style.closing}\n{KNOWN_ALREADY}")
        yield from self._finish_answer((yield from self._free(())))

    def _more(self, going: bool) -> _Steps:
        while going and len(self._calls()) < self._request.max_calls and (yield from self._another()):
            going = yield from self._call(None)
        yield from self._put(self._style.closing if going else "")

    def _openings(self) -> dict[str, tuple[str | None, str]]:
        """What a call may begin with: the tool, where that is told by then, and what is still missing."""
        openings: dict[str, tuple[str | None, str]] = {}
        taught = self._style.opening + self._style.before
        if mark := taught.strip():
            openings[mark] = (None, taught[taught.index(mark) + len(mark) :])
        for name in self._tools:
            for start in ('{"name": ', '{"name":', '{\n  "name": ', '{\n    "name": '):
                openings[start + json.dumps(name)] = (name, "")
        return openings

    def _opening(self, *, first: bool) -> str:
        return (self._style.opening if first else self._style.between) + self._style.before

    def _another(self) -> Generator[Segment, Decoded, bool]:
        """Lets the model choose between a further call and the end of its turn."""
        mark = self._opening(first=False)
        decoded = yield from self._free((mark.strip() or '{"name"',))
        if decoded.stop != "stop":
            return False
        stripped = mark.strip()
        yield from self._put(mark[mark.index(stripped) + len(stripped) :])
        return True

    def _call(self, name: str | None) -> Generator[Segment, Decoded, bool]:
        """Decodes a call from the start of its JSON; says whether further calls make sense."""
        tools = [self._tools[name]] if name else self._tools.values()
        decoded = yield from self._constrained(Grammar(f"start: {self._options(tools)}"))
        return (yield from self._take(decoded, decoded.text))

    def _options(self, tools: Iterable[ToolSpec]) -> str:
        style = self._style
        return " | ".join(
            f"{_lexemes(style.to_name + json.dumps(tool.name) + style.to_arguments)} {_expression(tool)} "
            f"{_quoted(style.to_end)}"
            for tool in tools
        )

    def _arguments(self, name: str) -> Generator[Segment, Decoded, bool]:
        """Decodes the rest of a call whose name stands there already."""
        style = self._style
        expression = f"{_quoted(style.to_arguments)} {_expression(self._tools[name])} {_quoted(style.to_end)}"
        decoded = yield from self._constrained(Grammar("start: " + expression))
        return (yield from self._take(decoded, style.to_name + json.dumps(name) + decoded.text, closed=False))

    def _take(self, decoded: Decoded, text: str, *, closed: bool = True) -> Generator[Segment, Decoded, bool]:
        if decoded.stop == "length":
            self._notes.append("a call was cut off, at the token limit or because it went in circles, and left out")
            self._stop = "calls" if self._calls() else "length"
            return False
        try:
            written: Any = read_json(text)
        except ValueError as e:
            self._notes.append(f"call left out ({e}): {text[:200]!r}")
            self._stop = "calls" if self._calls() else "answer"
            return False
        call = ToolCall(written["name"], written.get("arguments", written.get("parameters")))
        if call in self._calls():
            self._notes.append(f"the same call of {call.name!r} twice in a turn: made once")
            return False
        self._pieces.append(call)
        if closed:
            yield from self._put(self._style.after)
        return True

    def _calls(self) -> list[ToolCall]:
        return [piece for piece in self._pieces if isinstance(piece, ToolCall)]

    def _call_or_output(self, output: JsonObject) -> _Steps:
        """Lets the model choose between a call and an answer that fits the schema."""
        opening = self._opening(first=True)
        lark = (
            f"start: {self._lark(opening) if opening else ''} call | answer\n"
            f"call: {self._options(self._tools.values())}\n"
            f"answer: {json_schema_expression(output, closed=True)}"
        )
        decoded = yield from self._constrained(Grammar(lark))
        if self._is_call(decoded.text, opening):
            self._stop = "calls"
            going = yield from self._take(decoded, decoded.text.removeprefix(opening))
            yield from self._more(going)
        else:
            yield from self._finish_answer(decoded)

    def _is_call(self, text: str, opening: str) -> bool:
        style = self._style
        starts = (opening + style.to_name + json.dumps(name) + style.to_arguments for name in self._tools)
        return text.startswith(opening) if opening else text.startswith(tuple(starts))

    # Answers

    def _answer(self) -> _Steps:
        if self._request.output is None:
            yield from self._finish_answer((yield from self._free(())))
            return
        decoded = yield from self._constrained(json_schema_grammar(self._request.output, closed=True), "text")
        yield from self._finish_answer(decoded)

    def _finish_answer(self, decoded: Decoded) -> _Steps:
        if text := decoded.text.strip():
            self._pieces.append(Text(text))
        if decoded.stop == "length":
            self._stop = "length"
        yield from ()


def _settled_calls(request: TurnRequest) -> list[ToolCall]:
    """The calls of the conversation that have a good result, without ids."""
    calls = {call.id: call for message in request.messages if isinstance(message, Assistant) for call in message.calls}
    return [
        replace(calls[message.call_id], id="")
        for message in request.messages
        if isinstance(message, ToolResult) and not message.is_error and message.call_id in calls
    ]


def _expression(tool: ToolSpec) -> str:
    return json_schema_expression(tool.parameters, closed=True)


def _lexemes(text: str) -> str:
    """A piece of JSON as Lark strings, one for each of JSON's lexemes.

    As one string, it would be the longest match wherever an answer begins with the same bracket, and hide the answer.
    """
    return " ".join(map(_quoted, _LEXEME.findall(text)))


def _quoted(text: str) -> str:
    """A string of the Lark dialect."""
    return json.dumps(text, ensure_ascii=False)
