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
