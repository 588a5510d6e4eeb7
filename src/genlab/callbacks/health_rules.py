"""Signs that a run has gone wrong: from measured values to sentences with the likely cause and what to try."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import NamedTuple

HOPELESS = {"samples_collapsed", "samples_repeat", "codes_collapsed", "non_finite"}  # these don't mend by themselves


class Finding(NamedTuple):
    """A sign that has been seen."""

    sign: str  # its name, with the network's after a slash where it is about one
    value: float | None  # None if it is no finite number
    message: str


@dataclass(frozen=True)
class Limits:
    """Where a value becomes a sign."""

    min_diversity: float = 0.1  # share of the data's
    min_distinctness: float = 0.05  # share of the data's
    max_saturation: float = 0.3  # share of pixels
    min_active_units: float = 1  # entries of the code
    max_accuracy: float = 0.98  # of D, on real and on fake
    min_gradient: float = 1e-7  # norm: at Adam's epsilon, 1e-8, a weight rests
    max_growth: float = 1000  # of a norm over the first one; the norm itself depends on the loss's units


def findings(
    values: Mapping[str, float], first_norms: Mapping[str, float], limits: Limits, terms: Collection[str]
) -> list[Finding]:
    """Find all signs.

    Args:
        values: `saturation`, `non_finite` (share of sample pixels) and, where the model has them and there are two
            images, `diversity`, `distinctness`, `active_units`, `d_accuracy_real`, `d_accuracy_fake` and
            `grad_norm_NETWORK`.
        first_norms: the first value of each `grad_norm_NETWORK`.
        limits: where a value becomes a sign; NaN is none, but for `non_finite`.
        terms: names of the model's losses, by which remedies are chosen.
    """
    found = [*_of_samples(values, limits), *_of_players(values, limits), *_of_gradients(values, first_norms, limits)]
    return [
        Finding(sign, value if isfinite(value) else None, f"health: {what}. Try {remedy(sign, terms)}.")
        for sign, value, what in found
    ]


Found = Iterator[tuple[str, float, str]]


def _of_samples(values: Mapping[str, float], limits: Limits) -> Found:
    diversity, distinctness = (values.get(name, nan) for name in ("diversity", "distinctness"))  # not of one image
    saturation = values["saturation"]
    if values["non_finite"] > 0:
        share = f"{values['non_finite']:.2g} of the pixels"
        yield "non_finite", values["non_finite"], f"samples hold NaN or infinity ({share}): weights are lost"
    if diversity < limits.min_diversity:
        what = f"all samples look alike (diversity {diversity:.2g} of the data's)"
        yield "samples_collapsed", diversity, f"{what}: the decoder ignores the code, or has collapsed to one image"
    elif distinctness < limits.min_distinctness:
        what = f"samples repeat a few images (distinctness {distinctness:.2g} of the data's)"
        yield "samples_repeat", distinctness, f"{what}: the decoder has collapsed to a few modes"
    if saturation > limits.max_saturation:
        what = f"{saturation:.2g} of the sample pixels are stuck at an end of the range where the data's are not"
        yield "samples_saturated", saturation, f"{what}: the output layer is saturated and passes hardly any gradient"


def _of_players(values: Mapping[str, float], limits: Limits) -> Found:
    active = values.get("active_units", limits.min_active_units)
    if active < limits.min_active_units:
        what = f"the code hardly depends on the image ({active:.0f} active units)"
        yield "codes_collapsed", active, f"{what}: the posterior, or the encoder, has collapsed"
    real, fake = (values.get(f"d_accuracy_{side}", 0.0) for side in ("real", "fake"))
    if min(real, fake) > limits.max_accuracy:
        what = f"D has won (accuracy {real:.3g} on held-out real and {fake:.3g} on fake ones)"
        yield "d_won", min(real, fake), f"{what}: the generator learns little from it"


def _of_gradients(values: Mapping[str, float], first_norms: Mapping[str, float], limits: Limits) -> Found:
    for key, norm in values.items():
        if not key.startswith("grad_norm_"):
            continue
        name, first = key.removeprefix("grad_norm_"), first_norms.get(key, norm)
        if not isfinite(norm):
            what = (
                f"most gradients of the {name} are NaN or infinite: training has diverged, or the precision is too low"
            )
            yield f"non_finite/{name}", norm, what
        elif norm < limits.min_gradient:
            what = f"the gradient of the {name} has vanished (norm {norm:.2g})"
            yield f"gradient_vanished/{name}", norm, f"{what}: its loss is flat, or its units are dead"
        elif norm > limits.max_growth * first:
            what = f"the gradient of the {name} has exploded (norm {norm:.2g}, at first {first:.2g})"
            yield f"gradient_exploded/{name}", norm, f"{what}: training is about to diverge"


SLOWER = ("", "a smaller model.optimizer.lr")
R1 = ("d_loss", "+model/penalty@model.objective.penalties.r1=r1")
SLOWER_D = ("d_loss", "a smaller +model.learning_rates.discriminator")
AUGMENT = ("d_loss", "model/augment=diffaugment (model=gan)")
OBJECTIVE = ("d_loss", "another model/objective (hinge, r3gan)")
CODES_COUNT = (
    ("nll", "a smaller model.likelihood.sigma"),
    ("nll", "with model=vae a smaller model.beta, model.warm_up=50000, model.free_bits=0.1"),
    ("llike", "a larger model.gamma"),
    ("mmd", "a smaller model.mmd_weight"),
)
REMEDIES = {  # a loss that a model must have for the remedy to fit, and what to type
    "samples_collapsed": (*CODES_COUNT, OBJECTIVE, R1, AUGMENT, SLOWER),
    "samples_repeat": (*CODES_COUNT, OBJECTIVE, R1, AUGMENT, SLOWER),
    "samples_saturated": (R1, SLOWER),
    "codes_collapsed": (*CODES_COUNT, R1, SLOWER),
    "d_won": (R1, AUGMENT, OBJECTIVE, ("", SLOWER_D[1])),
    "gradient_vanished": (OBJECTIVE, R1, SLOWER_D, SLOWER),
    "gradient_exploded": (R1, ("d_loss", "+model.clip.PLAYER=1"), SLOWER),
    "non_finite": (SLOWER, ("", "trainer.precision=32-true")),
}


def remedy(sign: str, terms: Collection[str]) -> str:
    """What to try against a sign, for a model with losses of these names."""
    texts = [text for term, text in REMEDIES[sign.split("/")[0]] if not term or term in terms]
    return f"{', '.join(texts[:-1])} or {texts[-1]}" if len(texts) > 1 else texts[0]
