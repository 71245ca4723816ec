"""The light colours, and how colours are mixed with what is behind them."""

from __future__ import annotations

from rich.style import Style
from textual.color import Color
from textual.theme import Theme
from textual.widget import Widget

__all__ = ["LIGHT", "Palette"]

LIGHT = Theme(
    name="agentkit-light",
    primary="#0550ae",
    secondary="#0550ae",
    accent="#8250df",
    success="#1a7f37",
    warning="#9a6700",
    error="#cf222e",
    foreground="#1f2328",
    background="#ffffff",
    surface="#f6f8fa",
    panel="#eaeef2",
    dark=False,
)
"""Dark text on white: the light themes of Textual are gray, or glaring."""


class Palette:
    """The styles of a widget's component classes, by the ends of their names.

    A widget that draws lines itself has to mix colours that let the background through itself.

    Args:
        widget: Whose.
        prefix: What the names begin with.
    """

    def __init__(self, widget: Widget, prefix: str) -> None:
        self._widget = widget
        self._prefix = prefix
        self._known: dict[tuple[str, str], Style] = {}

    def clear(self) -> None:
        """Forgets the styles, because the theme or the focus has changed."""
        self._known.clear()

    def background(self, name: str = "") -> Color:
        """Returns what is behind text, with the background of a class over it."""
        _, behind = self._widget.background_colors
        return behind + self._widget.get_component_styles(self._prefix + name).background if name else behind

    def style(self, name: str, behind: str = "") -> Style:
        """Returns how text of a class looks; an empty name stands for plain text.

        Args:
            name: The class.
            behind: A class whose background is behind it; empty for the widget's.
        """
        found = self._known.get((name, behind))
        if found is None:
            background = self.background(behind)
            if name:
                styles = self._widget.get_component_styles(self._prefix + name)
                colour, text = styles.color, styles.text_style
            else:
                colour, text = self._widget.styles.color, Style()
            found = text + Style.from_color((background + colour).rich_color, background.rich_color)
            self._known[name, behind] = found
        return found
