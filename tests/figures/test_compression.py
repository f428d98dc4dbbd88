from glow import figures


def test_every_data_set_has_a_panel_with_a_bar_for_each_format() -> None:
    record = {
        "title": "Digits",
        "model": 2.0,
        "file": 2.1,
        "per_image": {"PNG": 4.0, "JPEG XL": 3.0},
        "mosaic": {"PNG": 3.5},
    }
    figure = figures.compression([record, {**record, "title": "Faces $"}])
    assert [axes.get_title() for axes in figure.axes] == ["Digits", "Faces $"]
    widths = [bar.get_width() for bar in figure.axes[0].patches]  # type: ignore[attr-defined]
    assert widths == [2.0, 2.1, 3.5, 4.0, 3.0]
