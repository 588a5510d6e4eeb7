"""The page, of Gradio's components."""

from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.components import Component
from PIL import Image

from genlab.demo.explorer import FURTHEST, Code, Explorer

NOTE = (
    "Each slider moves one entry of the code, in standard deviations of the prior; the most used one comes first. "
    "Draw on the images, or put others in their place."
)
STROKES: dict[str, Any] = {
    "trigger_mode": "always_last",
    "show_progress": "hidden",
}  # what is moved or drawn is shown as it stands


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
            brush=gr.Brush(default_size=16, default_color=explorer.ink),
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
        with gr.Row():
            self.seen = _picture(f"seen{number}", "The image, as the model sees it", height=200)
            self.rebuilt = _picture(f"rebuilt{number}", "Reconstructed", height=200)
        self.way = _picture(f"way{number}")
        with gr.Row():
            with gr.Column(min_width=200):
                self.sliders = [gr.Slider(-FURTHEST, FURTHEST, step=0.01, label=label) for label in explorer.labels]
            with gr.Column(min_width=200):
                self.decoded = _picture(f"decoded{number}", "Decoded", height=300)
                self.new = gr.Button("New sample", elem_id=f"new{number}")
                self.text = gr.Textbox(label="Code", lines=4, max_lines=8, elem_id=f"code{number}")

    def connect(self, page: gr.Blocks, images: Sequence[gr.ImageEditor]) -> None:
        """Have the page answer what is done on it."""
        of_code: list[Component] = [self.code, *self.sliders, self.decoded, self.text]
        shown = [self.seen, self.rebuilt, self.way, *of_code]
        page.load(self.show_images, images, shown)
        for image in images:
            image.change(self.show_images, images, shown, **STROKES)
        self.new.click(self.show_sample, self.n_samples, [self.n_samples, *of_code], show_progress="hidden")
        for slider in self.sliders:
            slider.input(self.move, [self.code, *self.sliders], [self.code, self.decoded, self.text], **STROKES)

    def show_images(self, image: dict[str, Any], other: dict[str, Any]) -> list[Any]:
        """Encode both, as the editors have them."""
        code, seen, rebuilt = self.explorer.encode(image["composite"])
        end, _, _ = self.explorer.encode(other["composite"])
        return [seen, rebuilt, self.explorer.between(code, end), *self._show(code)]

    def show_sample(self, number: int) -> list[Any]:
        """Another draw from the prior."""
        return [number + 1, *self._show(self.explorer.sample(number))]

    def move(self, code: Code, *deviations: float) -> list[Any]:
        """Put the entries of a code where the sliders stand, and leave the sliders alone."""
        code = self.explorer.moved(code, list(deviations))
        return [code, self.explorer.picture(code), _text(code)]

    def _show(self, code: Code) -> list[Any]:
        return [code, *self.explorer.deviations(code), self.explorer.picture(code), _text(code)]


def _picture(elem_id: str, label: str | None = None, height: int | None = None) -> gr.Image:
    """A picture with its label above it, if it has one."""
    return gr.Image(
        label=label,
        show_label=label is not None,
        height=height,
        format="png",
        interactive=False,
        elem_id=elem_id,
        buttons=[],
    )


def _text(code: Code) -> str:
    return " ".join(f"{value:.2f}" for value in code)
