"""Ctrl-C while Lightning runs."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_raised() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` after Ctrl-C, where Lightning would exit with status 1."""
    try:
        yield
    except SystemExit as ended:
        raise KeyboardInterrupt from ended
