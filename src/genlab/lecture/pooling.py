"""Pooling and unpooling are adjoints, and max unpooling needs the kept indices."""

from typing import Any

import pandas as pd
import torch
from torch import Generator, Tensor

from genlab.images import to_float, to_uint8
from genlab.lecture.claim import Claim, Evidence, Statement
from genlab.lecture.figures import images_figure
from genlab.lecture.runs import Runs
from genlab.lecture.toeplitz import inner, largest
from genlab.metrics.reconstruction import reconstruction_errors
from genlab.metrics.sharpness import high_frequency_energy
from genlab.networks import AveragePooling, AverageUnpooling, MaxPooling, MaxUnpooling
from genlab.significance import Interval, interval

ROUNDING = 1e-10
UNPOOLING = "model.decoder.unpooling._target_=genlab.networks."
FAR = 0.1


class Pooling(Claim):
    """Inner products of poolings, and an autoencoder with the indices of max pooling and one without."""

    title = "Pooling, unpooling, and the kept indices"
    sentence = (
        "Average pooling P is linear, and unpooling that spreads each value evenly is its adjoint: ⟨Px, y⟩ = ⟨x, "
        "P*y⟩. Max pooling is linear once the places of the maxima are kept, and unpooling to these places is its "
        "adjoint; with the places of another image it is not. An autoencoder that hands the indices from Φ to Ψ "
        "reconstructs sharper than one without."
    )
    experiment = (
        "Inner products of 100 random pairs. Then two autoencoders with 3×3 convolutions and max pooling in Φ, which "
        "differ in the unpooling of Ψ alone: to the kept indices, or evenly. The indices are a second way past the "
        "code, so the one that has them is no better code: it is sharper."
    )
    sweeps = (f"experiment=lecture/pooling {UNPOOLING}MaxUnpooling,genlab.networks.AverageUnpooling",)

    def measure(self, runs: Runs) -> Evidence:
        products, statements = check_adjoints()
        found = {
            name: runs("experiment=lecture/pooling", f"{UNPOOLING}{unpooling}")
            for name, unpooling in (("kept indices", "MaxUnpooling"), ("none", "AverageUnpooling"))
        }
        x = to_float(found["none"].datamodule.images("test")[:])
        with torch.no_grad():
            x_hats = {name: run.model.reconstruct(x) for name, run in found.items()}
        errors = {name: reconstruction_errors(x, x_hat).mse for name, x_hat in x_hats.items()}
        sharp = {name: high_frequency_energy(to_uint8(x_hat)) for name, x_hat in x_hats.items()}
        whole = high_frequency_energy(to_uint8(x)).mean()
        statements += compare(errors["none"] - errors["kept indices"], sharp["kept indices"] - sharp["none"])
        trained: list[dict[str, Any]] = [
            {"what": f"{label}, unpooling: {name}", "value": value}
            for name in found
            for label, value in (
                ("test MSE", errors[name].mean().item()),
                ("sharpness of reconstructions, data 1", (sharp[name].mean() / whole).item()),
            )
        ]
        figure = images_figure({"x": x[:12], **{f"Ψ(Φ(x)), {name}": x_hat[:12] for name, x_hat in x_hats.items()}})
        caption = "Test images, and their reconstructions with and without the indices."
        return Evidence(figure, caption, pd.DataFrame(products + trained), statements, True)


def check_adjoints() -> tuple[list[dict[str, Any]], list[Statement]]:
    """Inner products on both sides of each pair, in float64."""
    generator = Generator().manual_seed(0)
    x, other = (torch.randn(100, 3, 8, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    y = torch.randn(100, 3, 4, 4, generator=generator, dtype=torch.float64)
    maxima, kept = MaxPooling()(x)
    _, foreign = MaxPooling()(other)
    unpool = MaxUnpooling()
    average = largest(inner(AveragePooling()(x)[0], y), inner(x, AverageUnpooling()(y, (8, 8))))
    right = largest(inner(maxima, y), inner(x, unpool(y, (8, 8), kept)))
    wrong = largest(inner(maxima, y), inner(x, unpool(y, (8, 8), foreign)))
    table: list[dict[str, Any]] = [
        {"what": "largest |⟨Px, y⟩ − ⟨x, P*y⟩|, average pooling", "value": average},
        {"what": "the same, max pooling at its kept indices", "value": right},
        {"what": "the same, at the indices of another image", "value": wrong},
    ]
    return table, [
        Statement("average unpooling is the adjoint of average pooling, up to rounding", average < ROUNDING),
        Statement("max unpooling at the kept indices is the adjoint of max pooling", right < ROUNDING),
        Statement("at the indices of another image it is not", wrong > FAR),
    ]


def compare(closer: Tensor, sharper: Tensor) -> list[Statement]:
    """By how much errors of reconstructions fall with the indices, and their sharpness rises, image by image (B,)."""
    gains: list[Interval] = [interval(gain.tolist()) for gain in (closer, sharper)]
    return [
        Statement("with the indices the reconstructions are closer to the images (95% interval)", gains[0].low > 0),
        Statement("with the indices the reconstructions are sharper (95% interval)", gains[1].low > 0),
    ]
