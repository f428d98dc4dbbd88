"""The widgets that several tabs of the page have."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from glow.web.explorer import TEMPERATURE

# A move of a slider is answered directly; moves during an answer wait, and only the last counts.
QUICK: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "trigger_mode": "always_last",
    "api_visibility": "private",
}


def on_next(
    button: gr.Button,
    seed: gr.State,
    answer: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Any,
    position: int = 0,
) -> None:
    """Let a button count a seed up, and ask for an answer with it.

    Args:
        button: The button.
        seed: The seed, one of the inputs.
        answer: The function of the inputs.
        inputs: The inputs.
        outputs: One output or several.
        position: The place of the seed among the inputs.
    """
    several = list(outputs) if isinstance(outputs, list) else [outputs]

    def following(*values: Any) -> list[Any]:
        given = list(values)
        given[position] += 1
        found = answer(*given)
        return [given[position], *(found if isinstance(outputs, list) else [found])]

    button.click(following, list(inputs), [seed, *several], **QUICK)


def slider(
    low: float, high: float, value: float, step: float, label: str, identity: str, **options: bool
) -> gr.Slider:
    """Return a slider.

    Args:
        low: The smallest value.
        high: The largest value.
        value: The value at first.
        step: The distance between values.
        label: The text above it.
        identity: Its id on the page.
        options: Whether it is visible.
    """
    # Without gradio's button to reset it, which would not ask for an answer.
    return gr.Slider(
        low, high, value, step=step, label=label, elem_id=identity, buttons=[], **options
    )


def temperature_slider(label: str, identity: str) -> gr.Slider:
    """Return a slider of a temperature.

    Args:
        label: The text above it.
        identity: Its id on the page.
    """
    return slider(0, 1.2, TEMPERATURE, 0.05, label, identity)


def class_choice(names: Sequence[str], every: str | None) -> gr.Dropdown:
    """Return a choice of a class, invisible if there are none.

    Args:
        names: The names of the classes.
        every: The name of a choice of all of them, or None to begin with the first class.
    """
    choices: list[tuple[str, int | None]] = [(name, label) for label, name in enumerate(names)]
    start: list[tuple[str, int | None]] = [(every, None)] if every else []
    return gr.Dropdown(
        [*start, *choices],
        value=None if every or not names else 0,
        label="Class",
        visible=bool(names),
    )


def level_name(level: int, last: int) -> str:
    """Return the name of a level.

    Args:
        level: Its number, from 1, the finest.
        last: The number of levels.
    """
    place = ", finest" if level == 1 < last else ", coarsest" if level == last > 1 else ""
    return f"Level {level}{place}"
