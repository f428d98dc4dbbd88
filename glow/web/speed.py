"""How long an answer to a move of each slider takes."""

import statistics
import time
from collections.abc import Callable

from glow.web.answers import INTERPOLANTS, Answers
from glow.web.encoded import CORNERS
from glow.web.explorer import TEMPERATURE


def time_moves(answers: Answers, repeats: int = 15) -> dict[str, float]:
    """Measure the answer to a move of each slider, with its HTML but without the browser.

    Args:
        answers: What the controls ask for.
        repeats: The number of moves, of which the median counts. One more comes first.

    Returns:
        Milliseconds by slider.
    """
    explorer = answers.explorer
    picture, ends = explorer.sampled(0), explorer.sampled(1, CORNERS)
    way = next(iter(INTERPOLANTS))
    names, last = list(explorer.directions), explorer.n_levels
    strengths = [float(i == 0) for i in range(len(names))]
    temperatures = [TEMPERATURE] * last
    moves: dict[str, Callable[[], str]] = {
        "temperature of samples": lambda: answers.samples(0, None, *temperatures),
        "position of a walk": lambda: answers.place(0, None, TEMPERATURE, 0.3),
        "place between four pictures": lambda: answers.between(ends, way, 0.3, 0.6),
        "attribute": lambda: answers.moved(picture, names, *strengths),
        "temperature of a level": lambda: answers.redrawn(picture, [last], TEMPERATURE, 0),
    }
    return {name: _milliseconds(move, repeats) for name, move in moves.items()}


def _milliseconds(move: Callable[[], str], repeats: int) -> float:
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        move()
        seconds.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds[1:])
