from pathlib import Path

from matplotlib import image as matplotlib_image

from glow import figures


def test_the_curve_is_that_of_the_record(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(
        "step,train/bits_per_dim,val/bits_per_dim\n9,5.0,\n19,4.0,\n19,,4.5\n"
    )
    figure = figures.training_curve(tmp_path / "metrics.csv")
    train, val = figure.axes[0].lines
    assert train.get_xydata().tolist() == [[9, 5.0], [19, 4.0]]  # type: ignore[union-attr]
    assert val.get_xydata().tolist() == [[19, 4.5]]  # type: ignore[union-attr]
    path = figures.save(figure, tmp_path / "new" / "curve.png")
    assert matplotlib_image.imread(path).shape[2] == 4


def test_a_sweep_can_be_drawn_over_seconds() -> None:
    """Runs take slightly different times."""
    curves = {"": {"glow": [[(1.0, 5.0), (2.0, 4.0)], [(1.2, 5.2), (2.4, 4.2), (3.6, 4.0)]]}}
    figure = figures.sweep_curves(curves, axis="seconds")
    [line] = figure.axes[0].lines
    found = line.get_xydata().tolist()  # type: ignore[union-attr]
    assert [[round(value, 6) for value in point] for point in found] == [[1.1, 5.1], [2.2, 4.1]]
    assert figure.axes[0].get_xlabel() == "seconds"
