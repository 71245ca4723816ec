r"""Token ids to pieces, token by token.

The parser goes by ids, never by how a token reads: a model can spell ``<|"|>`` with ordinary characters, and then
it is text. What models get wrong (closers forgotten or doubled, a channel left open, a marker in prose) is read
where one reading is left, and every repair is noted. What can't be read is no call; the note holds its text.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agentkit.messages import Text, Thought, ToolCall
from agentkit.model_backend.formats.gemma4_arguments import CallText, ReadCall, UnreadableCall, read_call
from agentkit.model_backend.formats.gemma4_pieces import CallBegan, Output, Parsed, ParseEvent, Span
from agentkit.model_backend.formats.gemma4_tokens import Alphabet, Mark

__all__ = ["Parser", "parse"]

_OPENER = "call:"
_NAMED = re.compile(r"call:\s*([\w.\-]+)\s*[{\[(]")
_HEADER = re.compile(r"\s*thought[ \t]*(?:\n|$)")
_HEADER_LENGTH = len("\nthought\n")
_NOTE_LENGTH = 200
_MADE_UP = "a tool response written by the model was left out"
_UNCLOSED = "thought without an end"

_State: TypeAlias = Literal["text", "opened", "call", "thought", "response", "over"]


def parse(alphabet: Alphabet, tokens: Sequence[int], *, tools: Collection[str] = ()) -> Parsed:
    """Returns what a turn's tokens say; see `Parser`."""
    parser = Parser(alphabet, tools=tools)
    for token in tokens:
        parser.feed(token)
    parser.finish()
    return parser.parsed


@dataclass(slots=True)
class Parser:
    """Reads one turn. It never raises: any tokens are a turn, if only an odd one.

    Args:
        alphabet: The control tokens.
        tools: Names of the tools. A call whose opening token is missing is taken for one only if it names a tool.
    """

    alphabet: Alphabet
    tools: Collection[str] = ()
    _out: Output = field(init=False, default_factory=Output)
    _state: _State = field(init=False, default="text")
    _at: int = field(init=False, default=0)
    _begin: int = field(init=False, default=0)
    _text: str = field(init=False, default="")
    _streamed: int = field(init=False, default=0)
    _call: CallText = field(init=False)
    _assumed: bool = field(init=False, default=False)
    """The call has no opening token."""
    _closing: bool = field(init=False, default=False)
    """A closing token came inside a string; what follows decides whether it is text."""
    _thought: list[int] = field(init=False, default_factory=list[int])
    """The tokens of a thought, in case it is never closed and ends in calls."""
    _utf8: codecs.IncrementalDecoder = field(init=False)

    def __post_init__(self) -> None:
        self._call = CallText(self._spelled(Mark.QUOTE))
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def parsed(self) -> Parsed:
        """What has been read so far."""
        return self._out.parsed

    def feed(self, token: int) -> list[ParseEvent]:
        """Reads the next token and returns what it brought."""
        mark = self.alphabet.marks.get(token)
        if self._state == "over":
            self._out.note("tokens after the end of the turn")
        elif token == self.alphabet.eos:
            self._flush_bytes()
            self._end_turn()
        elif mark is None:
            self._settle_closing(None)
            self._add_text(self._utf8.decode(self.alphabet.vocab.piece(token)))
        else:
            self._flush_bytes()
            self._mark(mark)
        if self._state == "thought":
            self._thought.append(token)
        self._at += 1
        return self._out.take_events()

    def finish(self) -> list[ParseEvent]:
        """Ends the turn where the tokens end and returns what that brought."""
        self._flush_bytes()
        if self._state == "call":
            self._end_call(self._at, ended=self._closing, closer=self._closing)
        elif self._state == "opened":
            self._drop("call cut off after its opening token")
        if self._state != "over":
            self._end_turn()
        return self._out.take_events()

    # Tokens

    def _mark(self, mark: Mark) -> None:
        if self._state == "text":
            self._mark_in_text(mark)
        elif self._state == "opened":
            self._mark_in_opened(mark)
        elif self._state == "call":
            self._mark_in_call(mark)
        elif self._state == "thought":
            self._mark_in_thought(mark)
        else:
            self._mark_in_response(mark)

    def _mark_in_text(self, mark: Mark) -> None:
        if mark is Mark.TURN_END:
            self._end_turn()
        elif mark in (Mark.CALL, Mark.CHANNEL, Mark.RESPONSE):
            self._end_text()
            states: dict[Mark, _State] = {Mark.CALL: "opened", Mark.CHANNEL: "thought", Mark.RESPONSE: "response"}
            self._enter(states[mark], self._at)
        elif mark in (Mark.CALL_END, Mark.CHANNEL_END, Mark.RESPONSE_END):
            self._out.note(f"stray {self._spelled(mark)}")
            self._stream(everything=True)  # a call without its opener does not begin around it
            if mark is Mark.CHANNEL_END:
                self._end_text()
                self._enter("text", self._at + 1)
        else:
            self._add_text(self._spelled(mark))

    def _mark_in_opened(self, mark: Mark) -> None:
        if mark is Mark.CALL and not self._text.strip():
            self._out.note(f"stray {self._spelled(mark)}")
            self._begin = self._at
        else:
            self._not_a_call()
            self._mark(mark)

    def _mark_in_call(self, mark: Mark) -> None:
        if self._settle_closing(mark):
            self._mark(mark)
        elif mark is Mark.QUOTE:
            self._call.add_quote()
            self._stream_call()
        elif mark is Mark.CALL_END and self._call.in_string:
            self._closing = True
        elif mark is Mark.CALL_END:
            self._end_call(self._at + 1, ended=True, closer=True)
        elif mark in (Mark.RESPONSE, Mark.TURN_END):
            # The response token says that the call is over. The end of the turn does not: it may cut a call.
            ended = mark is Mark.RESPONSE
            self._end_call(self._at, ended=ended, closer=self._assumed and ended)
            self._mark(mark)
        elif not self._call.in_string and (mark in (Mark.CALL, Mark.CHANNEL) or self._is_whole()):
            self._end_call(self._at, ended=False)
            self._mark(mark)
        else:
            self._spell_in_call(mark)

    def _mark_in_thought(self, mark: Mark) -> None:
        if mark is Mark.CHANNEL_END:
            self._end_thought(self._at + 1)
            self._enter("text", self._at + 1)
        elif mark in (Mark.CHANNEL, Mark.RESPONSE, Mark.TURN_END):
            if mark is not Mark.RESPONSE or not self._calls_in_thought():
                self._out.note(_UNCLOSED)
                self._end_thought(self._at)
            self._enter("text", self._at)
            self._mark(mark)
        else:
            self._text += self._spelled(mark)

    def _mark_in_response(self, mark: Mark) -> None:
        """After the response token, where a model that was not stopped makes up the tool's answer."""
        if mark is Mark.QUOTE:
            self._text += self._spelled(mark)
        elif mark is Mark.RESPONSE_END and self._text.strip():
            self._drop(_MADE_UP, self._at + 1)
            self._enter("text", self._at + 1)
        else:
            if self._text.strip():
                self._drop(_MADE_UP)
            elif mark is not Mark.TURN_END:
                self._out.note(f"stray {self._spelled(Mark.RESPONSE)}")
            self._enter("text", self._at)
            self._mark(mark)

    def _add_text(self, text: str) -> None:
        if not text:
            return
        if self._state == "call":
            self._call.text += text
            self._stream_call()
            return
        self._text += text
        if self._state == "opened":
            self._settle_opened()
        elif self._state == "response" and not "response:".startswith(self._text.lstrip()[:9]):
            self._out.note(f"stray {self._spelled(Mark.RESPONSE)}")
            self._state = "text"
        elif self._state == "text" and self._names_tool():
            self._enter_call(assumed=True)
        self._stream()

    def _flush_bytes(self) -> None:
        self._add_text(self._utf8.decode(b"", True))

    def _end_turn(self) -> None:
        if self._state == "call":
            self._end_call(self._at, ended=self._closing, closer=self._closing)
        if self._state == "opened":
            self._not_a_call()
        if self._state == "thought":
            self._out.note(_UNCLOSED)
            self._end_thought(self._at)
        elif self._state == "text":
            self._end_text()
        elif self._state == "response" and self._text.strip():
            self._drop(_MADE_UP)
        self._state = "over"

    # Text and thoughts

    def _stream(self, *, everything: bool = False) -> None:
        """Sends what is new; a beginning that may turn out to be something else is held back."""
        if self._state == "text" and (everything or not self._may_become_call()):
            if self._text.strip():
                self._out.grew("text", self._text[self._streamed :])
                self._streamed = len(self._text)
        elif self._state == "thought" and (everything or len(self._text) > _HEADER_LENGTH):
            header = _HEADER.match(self._text)
            start = max(self._streamed, header.end() if header else 0)
            self._out.grew("thought", self._text[start:])
            self._streamed = len(self._text)

    def _may_become_call(self) -> bool:
        start = self._text.lstrip()
        return bool(self.tools) and (_OPENER.startswith(start) or bool(re.fullmatch(r"call:\s*[\w.\-]*\s*", start)))

    def _names_tool(self) -> bool:
        named = _NAMED.match(self._text.lstrip())
        return named is not None and self._streamed == 0 and named[1] in self.tools

    def _end_text(self) -> None:
        self._stream(everything=True)
        if self._text.strip():
            self._out.done(Text(self._text), self._begin, self._at)
        self._text = ""

    def _end_thought(self, end: int) -> None:
        self._stream(everything=True)
        header = _HEADER.match(self._text)
        text = self._text[header.end() if header else 0 :].removesuffix("\n")
        if text.strip():
            self._out.done(Thought(text), self._begin, end)
        else:
            self._out.spans.append(Span("thought", self._begin, end))

    def _calls_in_thought(self) -> bool:
        """Reads calls at the end of a thought that was not closed. The response token after them says that the
        model meant them; calls anywhere else in a thought are only thought of."""  # noqa: D205, D209
        marks = [self.alphabet.marks.get(token) for token in self._thought]
        first = len(marks)
        while first and marks[first - 1] is Mark.CALL_END and Mark.CALL in marks[:first]:
            first = max(i for i in range(first) if marks[i] is Mark.CALL)
        calls = parse(self.alphabet, self._thought[first:], tools=self.tools)
        if not calls.pieces or calls.notes or not all(isinstance(piece, ToolCall) for piece in calls.pieces):
            return False
        self._out.note("calls right after a thought without an end")
        self._text = self.alphabet.decode(self._thought[1:first])
        self._streamed = len(self._text)
        offset = self._at - len(self._thought) + first
        self._end_thought(offset)
        for piece, span in zip(calls.pieces, calls.spans, strict=True):
            self._out.done(piece, offset + span.begin, offset + span.end)
        return True

    # Calls

    def _settle_opened(self) -> None:
        """After the call token: a call begins with ``call:``, anything else was a marker in prose."""
        start = self._text.lstrip()
        if start.startswith(_OPENER):
            self._enter_call(assumed=False)
        elif not _OPENER.startswith(start):
            self._not_a_call()

    def _enter_call(self, *, assumed: bool) -> None:
        text, self._text = self._text.lstrip(), ""
        self._state, self._call, self._assumed, self._streamed = (
            "call",
            CallText(self._spelled(Mark.QUOTE), text),
            assumed,
            0,
        )
        self._stream_call()

    def _stream_call(self) -> None:
        if not self._streamed and (found := _NAMED.match(self._call.text)):
            self._out.events.append(CallBegan(found[1]))
            self._streamed = found.end()
        if self._streamed:
            self._out.grew("call", self._call.spelled(self._streamed))
            self._streamed = len(self._call.text)

    def _not_a_call(self) -> None:
        self._out.note(f"{self._spelled(Mark.CALL)} in the text, not followed by a call")
        self._state = "text"
        self._text = self._spelled(Mark.CALL) + self._text
        self._stream()

    def _is_whole(self) -> bool:
        try:
            return bool(read_call(self._call, ended=False))
        except UnreadableCall:
            return False

    def _end_call(self, end: int, *, ended: bool, closer: bool = False) -> None:
        """Reads the call; prose after its arguments goes back to the text."""
        rest = ""
        self._closing = False
        try:
            read = read_call(self._call, ended=ended)
            self._check_rest(read, closer)
        except UnreadableCall as e:
            text = self._call.spelled()
            if self._assumed:
                rest = text + (self._spelled(Mark.CALL_END) if closer else "")
            else:
                self._out.note(f"call left out ({e}): {text[:_NOTE_LENGTH]!r}")
                self._out.spans.append(Span("dropped", self._begin, end))
        else:
            rest = read.rest
            self._note_call(read, closer)
            self._out.done(ToolCall(read.name, read.arguments), self._begin, end)
            self._begin = end
        self._state, self._text, self._streamed = "text", rest, 0

    def _check_rest(self, read: ReadCall, closer: bool) -> None:
        """Something after the arguments is prose only if it can't have been meant as more arguments."""
        begin = len(self._call.text) - len(read.rest)
        if read.rest and (closer or read.rest.lstrip()[:1] in ",:]}" or any(i >= begin for i in self._call.quotes)):
            raise UnreadableCall("more after the arguments")
        if self._assumed and (read.notes or read.rest or not closer):
            raise UnreadableCall("not clearly a call")

    def _note_call(self, read: ReadCall, closer: bool) -> None:
        missing = [Mark.CALL] if self._assumed else []
        missing += [] if closer else [Mark.CALL_END]
        for note in (*(f"missing {self._spelled(mark)}" for mark in missing), *read.notes):
            self._out.note(f"{read.name}: {note}")

    def _settle_closing(self, mark: Mark | None) -> bool:
        """Decides about a closing token that came inside a string: an end follows an end, text goes on."""
        if not self._closing:
            return False
        self._closing = False
        if mark in (Mark.CALL, Mark.CALL_END, Mark.RESPONSE, Mark.TURN_END):
            self._end_call(self._at, ended=True, closer=True)
            return True
        self._spell_in_call(Mark.CALL_END)
        return False

    def _spell_in_call(self, mark: Mark) -> None:
        self._out.note(f"{self._spelled(mark)} inside a call, read as text")
        self._call.text += self._spelled(mark)
        self._stream_call()

    # Small things

    def _enter(self, state: _State, at: int) -> None:
        self._state, self._begin, self._text, self._streamed = state, at, "", 0
        if state == "thought":
            self._thought.clear()

    def _drop(self, why: str, end: int | None = None) -> None:
        self._out.note(why)
        self._out.spans.append(Span("dropped", self._begin, self._at if end is None else end))
        self._text = ""
        self._state = "text"

    def _spelled(self, mark: Mark) -> str:
        return self.alphabet.text(mark)
