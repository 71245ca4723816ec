"""Windows over the viewer: the keys, and questions before something is done."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from agentkit.trace.viewer.keys import HELP

__all__ = ["ConfirmScreen", "ForkScreen", "HelpScreen"]


class _Window(ModalScreen[str | None]):
    """A window that Escape closes."""

    DEFAULT_CSS = """
    _Window { align: center middle; }
    _Window > Vertical { width: auto; max-width: 96%; height: auto; max-height: 96%; padding: 0 1;
        border: round $primary; background: $surface; overflow-y: auto; }
    _Window Static { width: auto; max-width: 100%; }
    _Window Input { width: 60; }
    _Window TextArea { width: 70; height: 8; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "Close")]

    def action_leave(self) -> None:
        """Closes the window without doing anything."""
        self.dismiss(None)


class HelpScreen(_Window):
    """The keys."""

    def compose(self) -> ComposeResult:
        """Makes the window."""
        with Vertical():
            yield Static(HELP)

    def on_key(self, event: events.Key) -> None:
        """Any key closes it."""
        event.stop()
        self.dismiss(None)


class ConfirmScreen(_Window):
    """A question with a key for each answer.

    Args:
        question: What is asked; plain text.
        answers: What each key stands for.
    """

    def __init__(self, question: str, answers: dict[str, str]) -> None:
        super().__init__()
        self._question = question
        self._answers = answers

    def compose(self) -> ComposeResult:
        """Makes the window."""
        with Vertical():
            yield Static(self._question, markup=False)
            yield Static(" ")
            keys = "   ".join(f"{key}: {words}" for key, words in self._answers.items())
            yield Static(f"{keys}   esc: leave it", markup=False)

    def on_key(self, event: events.Key) -> None:
        """Takes an answer."""
        if event.key in self._answers:
            event.stop()
            self.dismiss(event.key)


class ForkScreen(_Window):
    """Asks for the arguments and the model of a fork; gives back the arguments as text and, after a line, the model.

    Args:
        title: Which step.
        arguments: Its arguments as JSON; empty when there are none to change.
        model: The run's model.
    """

    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+s", "go", "Run")]

    def __init__(self, title: str, arguments: str, model: str) -> None:
        super().__init__()
        self._title = title
        self._arguments = arguments
        self._model = model

    def compose(self) -> ComposeResult:
        """Makes the window."""
        with Vertical():
            yield Static(self._title, markup=False)
            if self._arguments:
                yield TextArea(self._arguments, id="arguments")
            yield Static("model", markup=False)
            yield Input(self._model, id="model")
            yield Static("ctrl+s: start the new run   esc: leave it", markup=False)

    def action_go(self) -> None:
        """Closes the window and gives back what was written."""
        text = self.query_one("#arguments", TextArea).text if self._arguments else ""
        self.dismiss(f"{self.query_one('#model', Input).value}\n{text}")
