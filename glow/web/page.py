"""The page: its frame, and the local server that it is opened from."""

import errno
import logging
import os
import socket
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported

import gradio as gr

from glow.web.answers import Answers
from glow.web.controls import between_tab, picture_tab, samples_tab, walk_tab

STYLE = Path(__file__).with_name("style.css")
LARGEST_FILE = "50mb"
logging.getLogger("httpx").setLevel(logging.WARNING)  # with which gradio calls its own server
FIRST_PORTS = range(7860, 7960)
FONTS = ("system-ui", "sans-serif")  # of the machine, so that none is loaded from elsewhere


def build_page(answers: Answers, about: str, attributes: Sequence[str] = ()) -> gr.Blocks:
    """Return the page over a model.

    Args:
        answers: What the controls ask for.
        about: A line about the model.
        attributes: The attributes that have a slider at first.
    """
    with gr.Blocks(
        title=f"Glow: {answers.name}",
        analytics_enabled=False,
        fill_width=True,
    ) as page:
        gr.HTML(
            f"<h1>Glow <span>{escape(answers.name)}</span></h1><p>{escape(about)}</p>",
            elem_classes="glow-header",
        )
        with gr.Tabs():
            with gr.Tab("Samples"):
                samples_tab(answers)
            with gr.Tab("Walk"):
                walk_tab(answers)
            with gr.Tab("Between"):
                between_tab(answers)
            with gr.Tab("Picture"):
                picture_tab(answers, attributes)
    return page


def serve(page: gr.Blocks, host: str, port: int | None, *, open_browser: bool) -> str:
    """Serve the page, and return its address at once.

    Args:
        page: The page.
        host: The address to listen at; 127.0.0.1 is reached from this machine only.
        port: The port, or None for the first free one from 7860.
        open_browser: Whether to open the page in the browser of this machine.

    Raises:
        ValueError: If the port is in use, or there is no such address.
    """
    port = _free_port(host, FIRST_PORTS if port is None else [port])
    screen = sys.platform != "linux" or {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ)
    theme = gr.themes.Base(
        primary_hue="slate", neutral_hue="slate", font=FONTS, font_mono=("monospace",)
    )
    _, url, _ = page.launch(
        server_name=host,
        server_port=port,
        inbrowser=open_browser and bool(screen),
        share=False,
        ssr_mode=False,
        mcp_server=False,
        prevent_thread_lock=True,
        quiet=True,
        footer_links=[],
        max_file_size=LARGEST_FILE,
        theme=theme,
        css_paths=STYLE,
    )
    return str(url)


def _free_port(host: str, ports: Sequence[int]) -> int:
    """Return the first of the ports that is free."""
    for port in ports:
        try:
            with socket.create_server((host, port)):
                return port
        except OverflowError as error:
            raise ValueError(f"port must be from 0 to 65535, got {port}") from error
        except OSError as error:
            reason = error
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                break
    shown = str(ports[0]) if len(ports) == 1 else f"{ports[0]} to {ports[-1]}"
    raise ValueError(
        f"the page cannot be served at host={host}, port={shown}: {reason.strerror or reason}"
    )
