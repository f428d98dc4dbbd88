import torch

from glow import figures
from glow.bijections import Planar
from glow.models import LayeredDensity
from glow.targets import Checkerboard, Potential1
from tests.small_models import perturb


def test_a_picture_of_a_density_has_its_first_axis_to_the_right() -> None:
    image = figures.density_image(lambda x: x[:, 0] + 10 * x[:, 1], Checkerboard(), 4)
    logs = image.log()
    assert (logs.diff(dim=1) > 0).all()
    assert (logs.diff(dim=0) < 0).all()


def test_the_sheet_shows_the_layers() -> None:
    density = perturb(LayeredDensity(2, Planar, 20), 0.3)
    sheet = figures.density_sheet(density, Potential1(), "a title", n_samples=10, n_cells=5)
    titles = [axes.get_title() for axes in sheet.axes]
    assert "samples of the target" not in titles  # a potential has none
    grids = [title for title in titles if title.startswith("grid")]
    assert len(grids) == 8
    assert grids[-1] == "grid after 20 of 20 layers"


def test_points_end_where_sampling_ends() -> None:
    density = perturb(LayeredDensity(2, Planar, 3), 0.3)
    frames = figures.flowing_points(density, 4.0, n_frames=4, n_points=7)
    z = density.base.sample(7, torch.Generator().manual_seed(0))
    points = [frame.axes[0].collections[0].get_offsets() for frame in frames]
    assert len(points) == 4
    with torch.no_grad():
        torch.testing.assert_close(torch.tensor(points[-1]).float(), density.flow.inverse(z))


def test_what_is_missing_from_a_table_is_white() -> None:
    ones = torch.ones(4, 4)
    table = figures.densities_table({"a": {"x": ones, "y": ones}, "b": {"x": ones}}, ["x", "y"], "")
    picture = table.axes[0].images[0].get_array()
    assert picture is not None
    assert (picture[-3, -3] == 255).all()
    assert not (picture[-3, 3] == 255).all()
