"""Names of files, folders and classes as texts in figures."""

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import Container

from glow.data.names import printable, shortened


def shown_text(text: str, longest: int = 60) -> str:
    r"""Return a text that can be drawn: without unprintable characters and without long lines.

    It must be drawn with ``parse_math=False``, because a ``$`` would begin a formula.

    Args:
        text: The text, of one line or several.
        longest: The length up to which lines are unchanged.

    >>> shown_text("me\x07\nlinear")
    'me\\x07\nlinear'
    """
    return "\n".join(shortened(printable(line), longest) for line in text.split("\n"))


def legend(
    axes: Axes, handles: Sequence[Artist | Container], names: Iterable[str], **options: Any
) -> None:
    """Add a legend whose names may hold any characters.

    Matplotlib parses labels as formulas, and leaves out labels of plots that begin with ``_``.

    Args:
        axes: The axes.
        handles: What the names belong to.
        names: The names.
        options: Further options of the legend, such as ``title``.
    """
    added = axes.legend(handles, map(shown_text, names), **options)
    for text in added.get_texts():
        text.set_parse_math(False)
