"""The page, of Gradio's components."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import gradio as gr
from gradio.components import Component
from PIL import Image

from genlab.demo.explorer import FURTHEST, Code, Explorer
from genlab.report.thumbnails import data_uri

NOTE = (
    "Each slider moves one entry of the code, in standard deviations of the prior; the most used one comes first. "
    "Draw on the images, or put others in their place."
)
FIGURE = '<figure style="margin: 0"><figcaption>{0}</figcaption><img src="{1}" alt="{0}" style="{2}"></figure>'
STYLE = "max-width: 100%; max-height: 230px; image-rendering: pixelated"
STROKES: dict[str, Any] = {"trigger_mode": "always_last", "show_progress": "hidden"}  # as fast as it goes


def build_page(explorers: Sequence[Explorer]) -> gr.Blocks:
    """Two images for all runs, and below them a column for each run."""
    with gr.Blocks(title="genlab", analytics_enabled=False, fill_width=True) as page:
        gr.Markdown(NOTE)
        with gr.Row():
            images = [_editor(explorers[0], number) for number in (0, 1)]
        with gr.Row():
            for number, explorer in enumerate(explorers):
                with gr.Column():
                    Panel(explorer, number).connect(page, images)
    return page


def _editor(explorer: Explorer, number: int) -> gr.ImageEditor:
    """A test image to draw on, or to replace, and a button for the next."""
    n_images = len(explorer.test_images)
    with gr.Column():
        editor = gr.ImageEditor(
            explorer.test_images[number % n_images],
            label=("An image", "Another image")[number],
            type="pil",
            format="png",
            height=360,
            canvas_size=explorer.canvas.size,
            sources=["upload", "clipboard"],
            layers=False,
            transforms=[],
            brush=gr.Brush(default_size=20, default_color=explorer.ink),
            elem_id=f"image{number}",
        )
        with gr.Row():
            following = gr.Button("Next test image", elem_id=f"next{number}")
            clear = gr.Button("Clear", elem_id=f"clear{number}")
    shown = gr.State(number)

    def show_following(row: int) -> tuple[int, Image.Image]:
        return row + 2, explorer.test_images[(row + 2) % n_images]

    following.click(show_following, shown, [shown, editor])
    clear.click(lambda: explorer.canvas, None, editor)
    return editor


class Panel:
    """What one run makes of it all. Its code is that of the image, until a slider or a new sample gives another one."""

    def __init__(self, explorer: Explorer, number: int) -> None:
        self.explorer = explorer
        gr.Markdown(f"### {explorer.name}")
        self.code, self.n_samples = gr.State(), gr.State(0)
        self.told: list[Component] = []  # a choice of labels, where the model takes any
        if explorer.examples:
            choices = list(explorer.examples)
            self.told = [gr.Dropdown(choices, value=choices[0], label="Label", elem_id=f"label{number}")]
        self.images = gr.HTML(elem_id=f"images{number}")
        with gr.Row():
            with gr.Column(min_width=200):
                self.sliders = [gr.Slider(-FURTHEST, FURTHEST, step=0.01, label=label) for label in explorer.labels]
            with gr.Column(min_width=200):
                self.decoded = gr.HTML(elem_id=f"decoded{number}")
                self.new = gr.Button("New sample", elem_id=f"new{number}")
                self.text = gr.Textbox(label="Code", lines=3, max_lines=8, elem_id=f"code{number}")

    def connect(self, page: gr.Blocks, images: Sequence[gr.ImageEditor]) -> None:
        """Have the page answer what is done on it."""
        of_code: list[Component] = [self.code, *self.sliders, self.decoded, self.text]
        seen = [*images, *self.told]
        page.load(self.show_images, seen, [self.images, *of_code])
        for image in images:
            image.input(self.show_images, seen, [self.images, *of_code], **STROKES)
        number = [self.n_samples, *self.told]
        self.new.click(self.show_sample, number, [self.n_samples, *of_code], show_progress="hidden")
        moved = [self.code, *self.sliders, *self.told]
        for slider in self.sliders:
            slider.input(self.move, moved, [self.code, self.decoded, self.text], **STROKES)
        for label in self.told:
            label.input(self._decoded, [self.code, label], self.decoded, show_progress="hidden")  # type: ignore[attr-defined]

    def show_images(self, image: dict[str, Any], other: dict[str, Any], *told: str) -> list[Any]:
        """Encode both, as the editors have them, and as of the label that is chosen."""
        code, seen, rebuilt = self.explorer.encode(image["composite"], *told)
        end, _, _ = self.explorer.encode(other["composite"], *told)
        way = self.explorer.between(code, end, *told)
        figures = {"as the model sees it": seen, "reconstructed": rebuilt, "on the way to the other image": way}
        return [_figures(figures), *self._show(code, *told)]

    def show_sample(self, number: int, *told: str) -> list[Any]:
        """Another draw from the prior."""
        return [number + 1, *self._show(self.explorer.sample(number), *told)]

    def move(self, code: Code, *values: Any) -> list[Any]:
        """Put the entries of a code where the sliders stand, and leave those alone; a label stands after them."""
        n = len(self.sliders)
        code = self.explorer.moved(code, list(values[:n]))
        return [code, self._decoded(code, *values[n:]), _text(code)]

    def _show(self, code: Code, *told: str) -> list[Any]:
        return [code, *self.explorer.deviations(code), self._decoded(code, *told), _text(code)]

    def _decoded(self, code: Code, *told: str) -> str:
        return _figures({"decoded": self.explorer.picture(code, *told)})


def _figures(pictures: Mapping[str, Image.Image]) -> str:
    """Pictures side by side with what is written above them. (As files they might be read while they are written.)"""
    figures = []
    for caption, picture in pictures.items():
        content = BytesIO()
        picture.save(content, "PNG")
        figures.append(FIGURE.format(caption, data_uri(content.getvalue(), "png"), STYLE))
    return f'<div style="display: flex; flex-wrap: wrap; gap: 12px">{"".join(figures)}</div>'


def _text(code: Code) -> str:
    return " ".join(f"{value:.2f}" for value in code)
