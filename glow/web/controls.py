"""The tabs of the page: their controls, and which answer each of them asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from glow.web import html
from glow.web.answers import INTERPOLANTS, Answers
from glow.web.encoded import CORNERS, Encoded
from glow.web.explorer import TEMPERATURE
from glow.web.widgets import QUICK, class_choice, level_name, on_next, slider, temperature_slider

DROP_HEIGHT = 160  # pixels
STRENGTH = 3.0  # the largest strength of an attribute


def samples_tab(answers: Answers) -> None:
    """Add the tab of samples: a temperature for each level, or for all of them."""
    explorer = answers.explorer
    initial = [TEMPERATURE] * explorer.n_levels
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            shown = gr.HTML(answers.samples(0, None, *initial), elem_id="samples")
        with gr.Column(scale=2, min_width=280):
            seed = gr.State(0)
            label = class_choice(explorer.class_names, "all in turn")
            every = temperature_slider("Temperature of all levels", "temperature-all")
            levels = [
                temperature_slider(level_name(level, explorer.n_levels), f"temperature-{level}")
                for level in range(1, explorer.n_levels + 1)
            ]
            again = gr.Button("New samples", elem_id="new-samples")
    inputs = [seed, label, *levels]
    for control in (label, *levels):
        control.input(answers.samples, inputs, shown, **QUICK)

    def set_all(seed: int, label: int | None, temperature: float) -> list[Any]:
        temperatures = [temperature] * explorer.n_levels
        return [answers.samples(seed, label, *temperatures), *temperatures]

    every.input(set_all, [seed, label, every], [shown, *levels], **QUICK)
    on_next(again, seed, answers.samples, inputs, shown)


def walk_tab(answers: Answers) -> None:
    """Add the tab of a walk between random latents."""
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            place = gr.HTML(answers.place(0, None, TEMPERATURE, 0.0), elem_id="place")
        with gr.Column(scale=2, min_width=280):
            seed = gr.State(0)
            position = slider(0, 1, 0, 0.01, "Position", "position")
            temperature = temperature_slider("Temperature", "walk-temperature")
            label = class_choice(answers.explorer.class_names, None)
            again = gr.Button("Another walk", elem_id="another-walk")
    strip = gr.HTML(answers.strip(0, None, TEMPERATURE), elem_id="strip")
    inputs = [seed, label, temperature]
    position.input(answers.place, [*inputs, position], place, **QUICK)

    def both(seed: int, label: int | None, temperature: float, position: float) -> list[str]:
        walk = (seed, label, temperature)
        return [answers.place(*walk, position), answers.strip(*walk)]

    for control in (temperature, label):
        control.input(both, [*inputs, position], [place, strip], **QUICK)
    on_next(again, seed, both, [*inputs, position], [place, strip])


def between_tab(answers: Answers) -> None:
    """Add the tab of interpolations between two pictures or four."""
    way = next(iter(INTERPOLANTS))
    first = answers.explorer.sampled(1, CORNERS)
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            message = gr.HTML(html.sentence("these are samples, until you choose pictures"))
            place = gr.HTML(answers.between(first, way, 0.5, 0.5), elem_id="between")
        with gr.Column(scale=2, min_width=280):
            ends = gr.State(first)
            across = slider(0, 1, 0.5, 0.01, "Left to right", "across")
            down = slider(0, 1, 0.5, 0.01, "Top to bottom", "down")
            ways = gr.Radio(list(INTERPOLANTS), value=way, label="Interpolation", elem_id="ways")
            files = gr.File(
                label="Two pictures, or four",
                file_count="multiple",
                height=DROP_HEIGHT,
                elem_id="ends",
            )
    overview = gr.HTML(answers.overview(first, way), elem_id="overview")
    place_inputs = [ends, ways, across, down]
    for control in (across, down):
        control.input(answers.between, place_inputs, place, **QUICK)

    def both(ends: Encoded, way: str, across: float, down: float) -> list[str]:
        return [answers.between(ends, way, across, down), answers.overview(ends, way)]

    ways.input(both, place_inputs, [place, overview], **QUICK)

    def choose(
        paths: Sequence[str] | None, ends: Encoded, way: str, across: float, down: float
    ) -> list[Any]:
        chosen, note, wrong = _read(lambda: answers.ends(paths or []), paths, first, ends)
        square = len(chosen.images) == CORNERS
        return [
            chosen,
            html.sentence(note, wrong=wrong),
            gr.update(visible=square),
            *both(chosen, way, across, down),
        ]

    gr.on(
        [files.upload, files.clear, files.delete],
        choose,
        [files, *place_inputs],
        [ends, message, down, place, overview],
        **QUICK,
    )


def picture_tab(answers: Answers, attributes: Sequence[str]) -> None:
    """Add the tab of one picture: its attributes, its levels, and its bits/dim.

    Args:
        answers: What the controls ask for.
        attributes: The attributes that have a slider at first.
    """
    explorer = answers.explorer
    first = explorer.sampled(0)
    names = list(explorer.directions)
    last = explorer.n_levels
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            file = gr.File(label="A picture", height=DROP_HEIGHT, elem_id="picture-file")
            message = gr.HTML(html.sentence("this is a sample, until you choose a picture"))
            seen = gr.HTML(answers.seen(first), elem_id="seen")
            again = gr.Button("Another sample", elem_id="another-sample")
            picture, seed, draw = gr.State(first), gr.State(0), gr.State(0)
        with gr.Column(scale=3, min_width=300), gr.Tabs():
            with gr.Tab("Attributes"):
                moved, sliders = _attributes(answers, picture, names, attributes)
            with gr.Tab("Levels"):
                redrawn = gr.HTML(answers.redrawn(first, [last], TEMPERATURE, 0), elem_id="redrawn")
                levels = gr.CheckboxGroup(
                    [(level_name(level, last), level) for level in range(1, last + 1)],
                    value=[last],
                    label="Levels to draw again",
                    elem_id="levels",
                )
                temperature = temperature_slider("Temperature", "level-temperature")
                redraw = gr.Button("Draw again", elem_id="draw-again")
                gr.HTML("<p>Decoded from more and more levels:</p>")
                coarse = gr.HTML(answers.coarse_to_fine(first), elem_id="coarse")
            with gr.Tab("Bits/dim"):
                bits = gr.HTML(answers.bits(first), elem_id="bits")
    level_inputs = [picture, levels, temperature, draw]
    for control in (levels, temperature):
        control.input(answers.redrawn, level_inputs, redrawn, **QUICK)
    on_next(redraw, draw, answers.redrawn, level_inputs, redrawn, position=3)

    outputs = [picture, message, seen, moved, redrawn, coarse, bits]
    values = [levels, temperature, draw, *sliders]

    def show(picture: Encoded, note: str, wrong: bool, *values: Any) -> list[Any]:  # noqa: FBT001
        chosen, temperature, draw, *strengths = values
        return [
            picture,
            html.sentence(note, wrong=wrong),
            answers.seen(picture),
            answers.moved(picture, names, *strengths),
            answers.redrawn(picture, chosen, temperature, draw),
            answers.coarse_to_fine(picture),
            answers.bits(picture),
        ]

    def choose(path: str | None, before: Encoded, *values: Any) -> list[Any]:
        paths = None if path is None else [path]
        return show(*_read(lambda: answers.read(paths or []), paths, first, before), *values)

    def sample(seed: int, *values: Any) -> list[Any]:
        return [seed + 1, None, *show(explorer.sampled(seed + 1), "", False, *values)]

    gr.on([file.upload, file.clear], choose, [file, picture, *values], outputs, **QUICK)
    again.click(sample, [seed, *values], [seed, file, *outputs], **QUICK)


def _attributes(
    answers: Answers, picture: gr.State, names: list[str], shown: Sequence[str]
) -> tuple[gr.HTML, list[gr.Slider]]:
    """Add the moved picture and a slider for every attribute, of which some are visible."""
    moved = gr.HTML(
        answers.moved(picture.value, names, *[0.0] * len(names)),
        elem_id="moved",
        visible=bool(names),
    )
    if not names:
        gr.HTML(
            html.sentence(
                "this model has no directions of attributes here: experiments/manipulate.py "
                "estimates them from images with labels, and directions=<file> opens them"
            )
        )
        return moved, []
    sliders = [
        slider(
            -STRENGTH,
            STRENGTH,
            0,
            0.1,
            name.replace("_", " "),
            f"attribute-{name}",
            visible=name in shown,
        )
        for name in names
    ]
    reset = gr.Button("All to zero", elem_id="to-zero")
    with gr.Accordion("More attributes", open=False):
        chosen = gr.Dropdown(
            names, value=list(shown), multiselect=True, label="Sliders for", elem_id="attributes"
        )

    def move(picture: Encoded, *strengths: float) -> str:
        return answers.moved(picture, names, *strengths)

    for control in sliders:
        control.input(move, [picture, *sliders], moved, **QUICK)

    def show(chosen: Sequence[str], picture: Encoded, *strengths: float) -> list[Any]:
        left = [s if name in chosen else 0.0 for name, s in zip(names, strengths, strict=True)]
        updates = [
            gr.update(visible=name in chosen, value=value)
            for name, value in zip(names, left, strict=True)
        ]
        return [move(picture, *left), *updates]

    chosen.change(show, [chosen, picture, *sliders], [moved, *sliders], **QUICK)
    zeros = [0.0] * len(names)
    reset.click(
        lambda picture: [move(picture, *zeros), *zeros], picture, [moved, *sliders], **QUICK
    )
    return moved, sliders


def _read(
    read: Callable[[], tuple[Encoded, str]],
    paths: Sequence[str] | None,
    first: Encoded,
    before: Encoded,
) -> tuple[Encoded, str, bool]:
    """Return the pictures to show, a sentence, and whether it says that something is wrong."""
    if not paths:
        return first, "", False
    try:
        return *read(), False
    except ValueError as error:
        return before, str(error), True
