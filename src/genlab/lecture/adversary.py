"""What an adversary adds to autoencoders and VAEs: sharpness, and samples that are nearer to the data."""

from collections.abc import Sequence
from math import exp
from typing import Any

import pandas as pd

from genlab.images import to_float
from genlab.lecture.claim import Claim, Evidence, Statement
from genlab.lecture.codes import gaussian
from genlab.lecture.figures import bars, images_figure
from genlab.lecture.runs import N_SAMPLES, Runs, from_standard_normal, reconstructions, samples, sharpness
from genlab.run.summary import read_outcome
from genlab.significance import Interval, differences, interval

SEEDS = (0, 1, 2)
NAMES = {"ae": "AE", "vae": "VAE", "aegan": "AE-GAN", "aae": "AAE", "vaegan": "VAE-GAN", "gan": "GAN"}
PLAIN = {"AE-GAN": "AE", "AAE": "AE", "VAE-GAN": "VAE"}  # what each is without its adversary

OFF = "AE-GAN, adversary off"  # its control: the same steps and optimiser
WEIGHT_OFF = "model.adversarial_weight=1e-9"

Scores = dict[str, list[float]]  # one a seed, by the name of the model


def typed(models: Sequence[str]) -> str:
    """What is typed to train models with all seeds."""
    return f"experiment={','.join(f'lecture/{model}' for model in models)} seed={','.join(map(str, SEEDS))}"


def trained(runs: Runs, model: str, *more: str) -> list[Any]:
    """The runs of a model, one a seed."""
    return [runs(f"experiment=lecture/{model}", *more, f"seed={seed}") for seed in SEEDS]


class Sharpness(Claim):
    """The energy at high frequencies of what each model generates, relative to the data."""

    title = "The ℓ² loss blurs, an adversary does not"
    sentence = (
        "The Ψ(z) of least expected squared distance is the mean E[x | z] of all images with this code (regression to "
        "the mean), which is blurred: AE and VAE are less sharp than the data. With an adversary D the blur would "
        "give them away: reconstructions of an AE, and samples of a VAE, become sharper, as those of a GAN are."
    )
    experiment = (
        "Sharpness is the power of an image at spatial frequencies above a quarter of a cycle a pixel, the mean over "
        f"{N_SAMPLES:,} images, divided by that of the training digits: 1 is as sharp as these. Like is compared with "
        "like. The AE-GAN's control is the AE-GAN with its adversary off (a weight of 1e-9): the AE has another "
        "optimiser, and more steps in the same time, by which alone it gets sharper. VAE, VAE-GAN and GAN draw from "
        "the same prior N(0, I). Same decoder, same digits, three seeds."
    )
    models = ("ae", "vae", "aegan", "vaegan", "gan")
    sweeps = (typed(models), f"{typed(['aegan'])} {WEIGHT_OFF}")

    def measure(self, runs: Runs) -> Evidence:
        found = {NAMES[model]: trained(runs, model) for model in self.models}
        found[OFF] = trained(runs, "aegan", WEIGHT_OFF)
        reconstructed = {n: [sharpness(r, reconstructions) for r in rs] for n, rs in found.items() if n != "GAN"}
        sampled = {n: [sharpness(r, samples) for r in rs] for n, rs in found.items()}
        rows: list[dict[str, Any]] = [
            {
                "model": name,
                "reconstructions": interval(reconstructed[name]) if name in reconstructed else None,
                "samples": interval(values),
            }
            for name, values in sampled.items()
        ]
        images = {"data": to_float(found["AE"][0].datamodule.images("val")[:16])}
        for name in ("AE", OFF, "AE-GAN", "VAE", "VAE-GAN", "GAN"):
            kind = reconstructions if name.startswith("AE") else samples
            images[name] = to_float(kind(found[name][0])[:16])
        caption = "Held-out digits, reconstructions by AE and AE-GAN, samples of the others; of the first seed."
        return Evidence(
            images_figure(images), caption, pd.DataFrame(rows), judge_sharpness(reconstructed, sampled), True
        )


def seconds(run: Any) -> float:
    """How long a run has trained, beside whatever else its machine had to do."""
    return float(read_outcome(run.checkpoint.parents[1]).summary["training_seconds"])


def judge_sharpness(reconstructed: Scores, sampled: Scores) -> list[Statement]:
    """Sharpness of each model, relative to the data, by seed."""
    blurred = [
        Statement(f"{what} of the {name} are less sharp than the data", interval(found[name]).high < 1)
        for what, found in (("reconstructions", reconstructed), ("samples", sampled))
        for name in ("AE", "VAE")
    ]
    return [
        *blurred,
        Statement(
            "reconstructions of the AE-GAN are sharper than with its adversary off",
            exceeds(reconstructed["AE-GAN"], reconstructed[OFF]),
        ),
        Statement(
            "samples of the VAE-GAN are sharper than those of the VAE", exceeds(sampled["VAE-GAN"], sampled["VAE"])
        ),
        Statement("samples of the GAN are sharper than those of the VAE", exceeds(sampled["GAN"], sampled["VAE"])),
    ]


class AdversarialTraining(Claim):
    """Distances from the data of what decoders make of N(0, I), with an adversary and without."""

    title = "Adversarial training helps autoencoders and VAEs"
    sentence = (
        "With the same decoder Ψ, data and seconds, Ψ(z) with z ~ N(0, I) is nearer to the data where an adversary "
        "takes part in the training: one on images, beside an AE (AE-GAN) or a VAE (VAE-GAN), or one on codes (AAE)."
    )
    experiment = (
        f"{N_SAMPLES:,} draws of N(0, I), decoded, are compared with the training digits by the Fréchet distance in "
        "the features of an ImageNet classifier (lower is better). The AE has no prior; with a Gaussian fitted to its "
        "codes, which the others do without, it gives the number in the last row. Models that are compared have "
        "batches of the same size and as many epochs as take the same time: AE, AE-GAN and AAE a minute of one CPU "
        "core, VAE and VAE-GAN nearly three. The seconds depend on what else the machine did. Three seeds; 95% "
        "intervals of means, and of the factor by which a distance is larger without the adversary (tested as in a "
        "report: all five models contribute to its variance)."
    )
    models = ("ae", "aegan", "aae", "vae", "vaegan")  # their configurations have the numbers of epochs
    sweeps = (typed(models),)

    def measure(self, runs: Runs) -> Evidence:
        found = {NAMES[model]: trained(runs, model) for model in self.models}
        sampled = {n: [runs.distance(run, from_standard_normal) for run in rs] for n, rs in found.items()}
        factors = compare_distances(sampled)
        rows: list[dict[str, Any]] = [
            {
                "model": name,
                "distance": interval(sampled[name]),
                "without the adversary / with it": factor(factors[name]) if name in factors else None,
                "epochs": round(rs[0].model.images_seen / len(rs[0].datamodule.images("train"))),
                "seconds of training": interval([seconds(run) for run in rs]),
            }
            for name, rs in found.items()
        ]
        fitted = interval([runs.distance(run, gaussian) for run in found["AE"]])
        rows.append({"model": "AE, z from a Gaussian fitted to its codes", "distance": fitted})
        figure = bars({"Ψ(z), z ~ N(0, I)": {name: interval(v) for name, v in sampled.items()}}, "Fréchet distance")
        caption = "Mean and 95% interval over three seeds."
        return Evidence(figure, caption, pd.DataFrame(rows), judge_distances(sampled))


def judge_distances(sampled: Scores) -> list[Statement]:
    """Fréchet distances of each model by seed."""
    return [
        Statement(f"{name} is nearer to the data than {PLAIN[name]}", difference.low > 0)
        for name, difference in compare_distances(sampled).items()
    ]


def compare_distances(sampled: Scores) -> dict[str, Interval]:
    """By how much the logarithm of the distance is larger without the adversary, of each model with one."""
    names = [name for name in NAMES.values() if name in sampled]  # those without an adversary stand first
    found = differences([dict(enumerate(sampled[name])) for name in names])
    return {name: found[names.index(plain), names.index(name)].interval for name, plain in PLAIN.items()}


def factor(difference: Interval) -> str:
    """The interval of a difference of logarithms as one of the factor."""
    return f"{exp(difference.mean):.2f} ({exp(difference.low):.2f} to {exp(difference.high):.2f})"


def exceeds(larger: Sequence[float], smaller: Sequence[float]) -> bool:
    """Whether values of one model lie above those of another of the same seeds: the 95% interval of the difference."""
    return interval([a - b for a, b in zip(larger, smaller, strict=True)]).low > 0
