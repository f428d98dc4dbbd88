"""The page in a real browser: make test-browser."""

import io
import os
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from glow import Glow
from glow.analysis.attributes import Directions
from glow.bijections import AdditiveCoupling
from glow.checkpoint import fingerprint
from glow.nets import CouplingNet
from glow.runs.own_samples import OwnSamples
from glow.web.answers import Answers
from glow.web.explorer import Explorer
from tests.small_models import perturb

pytestmark = pytest.mark.browser
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
ATTRIBUTES = ["Smiling", "Blond_Hair", "Male"]
# The controls of each tab, and what each of them changes.
SLIDERS = {
    "Samples": {f"temperature-{level}": "samples" for level in ("all", "1", "2", "3")},
    "Walk": {"position": "place", "walk-temperature": "strip"},
    "Between": {"across": "between", "down": "between"},
    "Picture/Attributes": {"attribute-Smiling": "moved", "attribute-Blond_Hair": "moved"},
    "Picture/Levels": {"level-temperature": "redrawn"},
}
BUTTONS = {
    "Samples": {"new-samples": "samples"},
    "Walk": {"another-walk": "strip"},
    "Between": {},
    "Picture/Attributes": {"another-sample": "moved"},
    "Picture/Levels": {"draw-again": "redrawn"},
}
# The images in an element and its text, without what gradio puts around them.
CONTENT = """id => {
    const element = document.querySelector(`#${id} .prose`);
    return [...element.querySelectorAll("img")].map(img => img.src).join(" ") + element.textContent;
}"""


@pytest.fixture(scope="module")
def answers() -> Answers:
    """Answers of a small model of 32x32 images."""
    torch.manual_seed(0)
    coupling = partial(AdditiveCoupling, net=partial(CouplingNet, width=8))
    model = Glow((3, 32, 32), n_bits=5, n_levels=3, n_steps=1, coupling=coupling)
    noise = torch.randn(32, 3, 32, 32)
    model.initialize((128 + 40 * noise).clamp(0, 255).byte())
    perturb(model, 0.02)
    directions = Directions(
        ATTRIBUTES, torch.randn(3, 3072), model.latent_shapes, [1] * 3, 2, "a", fingerprint(model)
    )
    return Answers(Explorer(model.eval(), OwnSamples(model=model), directions), "noise")


@pytest.fixture(scope="module")
def address(answers: Answers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address at which the page is served."""
    pytest.importorskip("gradio", reason="the page needs gradio: pip install -e '.[explore]'")
    from glow.web.page import build_page, serve

    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("uploads"))
    page = build_page(answers, "Noise at 32x32", ATTRIBUTES[:2])
    yield serve(page, "127.0.0.1", None, open_browser=False)
    page.close(verbose=False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; the tests are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        installed = next(filter(None, map(shutil.which, NAMES)), None)
        path = installed or started.chromium.executable_path
        if not Path(path).is_file():
            pytest.skip("there is no Chromium here: install chromium, or playwright install")
        launched = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page, opened; what it asks for elsewhere, and its errors, fail the test."""
    opened, elsewhere, errors = opened_page(browser, address)
    yield opened
    opened.context.close()
    assert not elsewhere
    assert not errors


def opened_page(browser: Any, address: str, width: int = 1280) -> tuple[Any, list[str], list[str]]:
    page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
    elsewhere: list[str] = []
    errors: list[str] = []
    page.on("request", lambda it: elsewhere.append(it.url) if leaves(it.url, address) else None)
    page.on("console", lambda it: errors.append(it.text) if it.type == "error" else None)
    page.on("pageerror", lambda it: errors.append(str(it)))
    page.goto(address)
    page.wait_for_selector("#samples img")
    return page, elsewhere, errors


def leaves(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:"))


def go_to(page: Any, tabs: str) -> None:
    for tab in tabs.split("/"):
        page.get_by_role("tab", name=tab, exact=True).first.click()
    page.wait_for_timeout(1000)  # a tab's widgets listen a moment after they appear


def shown(page: Any, identity: str) -> str:
    return str(page.evaluate(CONTENT, identity))


def wait_for_change(page: Any, identity: str, before: str) -> str:
    page.wait_for_function(f"([id, before]) => ({CONTENT})(id) !== before", arg=[identity, before])
    return shown(page, identity)


def move(page: Any, slider: str) -> None:
    """Move a slider as a person does with the keyboard."""
    page.locator(f"#{slider} input[type=range]").first.press("ArrowRight")


def picture(color: tuple[int, int, int], size: tuple[int, int] = (40, 50)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def upload(page: Any, identity: str, *files: tuple[str, bytes]) -> None:
    payload = [{"name": n, "mimeType": "image/png", "buffer": content} for n, content in files]
    page.locator(f"#{identity} input[type=file]").first.set_input_files(payload)


@pytest.mark.parametrize("tabs", SLIDERS)
def test_every_control_changes_what_it_says(page: Any, tabs: str) -> None:
    go_to(page, tabs)
    for slider, output in SLIDERS[tabs].items():
        before = shown(page, output)
        start = time.perf_counter()
        move(page, slider)
        wait_for_change(page, output, before)
        assert time.perf_counter() - start < 5  # on a machine with other work
    for button, output in BUTTONS[tabs].items():
        first = shown(page, output)
        page.click(f"#{button}")
        second = wait_for_change(page, output, first)
        page.click(f"#{button}")
        assert wait_for_change(page, output, second) != first


def test_a_dropped_picture_takes_the_place_of_the_sample(page: Any) -> None:
    outputs = {
        "Attributes": ["seen", "moved"],
        "Levels": ["redrawn", "coarse"],
        "Bits/dim": ["bits"],
    }
    before: dict[str, str] = {}
    go_to(page, "Picture")
    for tab, names in outputs.items():
        page.get_by_role("tab", name=tab, exact=True).click()
        before |= {name: shown(page, name) for name in names}
    drop = """([selector, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "red.png", {type: "image/png"}));
        const zone = document.querySelector(selector);
        for (const kind of ["dragenter", "dragover", "drop"])
            zone.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true}));
    }"""
    page.evaluate(drop, ["#picture-file button", list(picture((200, 30, 30)))])
    expect_text(page, "Red.png, 40x50, was cropped centrally and resized to 32x32")
    for tab, names in outputs.items():
        page.get_by_role("tab", name=tab, exact=True).click()
        for name in names:
            assert shown(page, name) != before[name], name
    dropped = shown(page, "seen")
    assert "red.png" in dropped
    page.click("#another-sample")
    assert "sample 1" in wait_for_change(page, "seen", dropped)
    assert not page.get_by_text("Red.png").is_visible()


def expect_text(page: Any, text: str) -> None:
    page.locator(".glow-sentence", has_text=text).first.wait_for(state="visible")


def test_two_pictures_or_four_are_interpolated(page: Any) -> None:
    go_to(page, "Between")
    before = shown(page, "overview")
    two = [("red.png", picture((200, 0, 0))), ("blue.png", picture((0, 0, 200)))]
    upload(page, "ends", *two)
    assert wait_for_change(page, "overview", before).count("data:image/png") == 9
    assert page.locator("#down").count() == 0 or not page.locator("#down").is_visible()


def test_three_pictures_get_a_sentence_and_change_nothing(page: Any) -> None:
    go_to(page, "Between")
    before = shown(page, "overview")
    upload(page, "ends", *[(f"{i}.png", picture((50 * i, 0, 0))) for i in range(3)])
    expect_text(page, "Choose two pictures, or four for a square; got 3 pictures")
    assert shown(page, "overview") == before


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"hello", "none of PNG, JPEG"),
        (b"", "the file is empty"),
        (picture((1, 2, 3))[:50], "it is broken"),
    ],
)
def test_what_is_no_picture_gets_a_sentence(page: Any, content: bytes, sentence: str) -> None:
    go_to(page, "Picture")
    before = shown(page, "moved")
    upload(page, "picture-file", ("mine.png", content))
    expect_text(page, sentence)
    assert shown(page, "moved") == before


def test_a_reload_starts_again(page: Any) -> None:
    first = shown(page, "samples")
    page.click("#new-samples")
    wait_for_change(page, "samples", first)
    page.reload()
    page.wait_for_selector("#samples img")
    assert shown(page, "samples") == first


def test_two_tabs_do_not_see_each_other(browser: Any, address: str, page: Any) -> None:
    other, _, errors = opened_page(browser, address)
    for each, color in ((page, (250, 0, 0)), (other, (0, 0, 250))):
        go_to(each, "Picture")
        before = shown(each, "seen")
        upload(each, "picture-file", (f"{color[0]}.png", picture(color)))
        wait_for_change(each, "seen", before)
    for each, name in ((page, "250.png"), (other, "0.png")):
        before = shown(each, "moved")
        move(each, "attribute-Smiling")
        wait_for_change(each, "moved", before)
        assert name in shown(each, "seen")
    assert shown(page, "moved") != shown(other, "moved")
    other.context.close()
    assert not errors


def test_what_is_shown_is_downloaded(page: Any) -> None:
    with page.expect_download() as started:
        page.click("#samples .glow-download")
    download = started.value
    assert download.suggested_filename == "noise_samples_seed0.png"
    pixels = np.asarray(Image.open(download.path()))
    assert pixels.shape == (2 * 132, 4 * 132, 3)


def test_an_attribute_can_be_added(page: Any) -> None:
    go_to(page, "Picture/Attributes")
    assert page.locator("#attribute-Male input[type=range]").count() == 0
    page.get_by_text("More attributes").click()
    page.locator("#attributes input").click()
    page.get_by_role("option", name="Male").click()
    page.wait_for_selector("#attribute-Male input[type=range]")
    before = shown(page, "moved")
    move(page, "attribute-Male")
    moved = wait_for_change(page, "moved", before)
    page.click("#to-zero")
    assert wait_for_change(page, "moved", moved) == before


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_cut_off(browser: Any, address: str, width: int) -> None:
    page, _, errors = opened_page(browser, address, width)
    for tabs in ("Samples", "Walk", "Between", "Picture/Attributes", "Picture/Levels"):
        go_to(page, tabs)
        assert_nothing_is_cut_off(page, width)
    go_to(page, "Picture")
    page.get_by_role("tab", name="Bits/dim").click()
    assert_nothing_is_cut_off(page, width)
    page.context.close()
    assert not errors


def assert_nothing_is_cut_off(page: Any, width: int) -> None:
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    selector = "img, button, input, label, h1, p, table, a"
    for element in page.locator(f":is({selector}):visible").all():
        box = element.bounding_box()
        if box is not None and box["width"] > 1:
            assert box["x"] >= 0, element
            assert box["x"] + box["width"] <= width, element
