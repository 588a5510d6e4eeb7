"""Signs that a run has gone wrong: from measured values to sentences with the likely cause and what to try."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from math import inf, isfinite
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
    min_codes_used: float = 0.1  # share of the codebook
    max_accuracy: float = 0.98  # of D, on real and on fake
    min_gradient: float = 1e-7  # norm: at Adam's epsilon, 1e-8, a weight rests
    max_growth: float = 1000  # of a norm over the first one; the norm itself depends on the loss's units


SLOWER = ("", "a smaller model.optimizer.lr")  # remedies: a loss that a model must have for it, and what to type
R1 = ("d_loss", "+model/penalty@model.objective.penalties.r1=r1")
SLOWER_D = "a smaller +model.learning_rates.discriminator"
AUGMENT = ("d_loss", "model/augment=diffaugment (model=gan)")
OBJECTIVE = ("d_loss", "another model/objective (hinge, r3gan)")
CODES_COUNT = (
    ("nll", "a smaller model.likelihood.sigma"),
    ("nll", "with model=vae a smaller model.beta, model.warm_up=50000, model.free_bits=0.1"),
    ("llike", "a larger model.gamma"),
    ("mmd", "a smaller model.mmd_weight"),
)
COLLAPSE = (*CODES_COUNT, OBJECTIVE, R1, AUGMENT, SLOWER)
FINITE = (SLOWER, ("", "trainer.precision=32-true"))


class Rule(NamedTuple):
    """When a measured value is a sign."""

    key: str  # of the value; GRADIENT for that of each network
    sign: str
    is_broken: Callable[[float, float, Limits], bool]  # of the value and its first one; NaN compares as false
    what: str  # is wrong, and why
    remedies: tuple[tuple[str, str], ...]


GRADIENT = "grad_norm_"
RULES = (
    Rule("non_finite", "non_finite", lambda v, first, limits: v > 0,
         "samples hold NaN or infinity ({value:.2g} of the pixels): weights are lost", FINITE),
    Rule("diversity", "samples_collapsed", lambda v, first, limits: v < limits.min_diversity,
         "all samples look alike (diversity {value:.2g} of the data's): the decoder ignores the code, or has collapsed "
         "to one image", COLLAPSE),
    Rule("distinctness", "samples_repeat", lambda v, first, limits: v < limits.min_distinctness,
         "samples repeat a few images (distinctness {value:.2g} of the data's): the decoder has collapsed to a few "
         "modes", COLLAPSE),
    Rule("saturation", "samples_saturated", lambda v, first, limits: v > limits.max_saturation,
         "{value:.2g} of the sample pixels are stuck at an end of the range where the data's are not: the output layer "
         "is saturated and passes hardly any gradient", (R1, SLOWER)),
    Rule("active_units", "codes_collapsed", lambda v, first, limits: v < limits.min_active_units,
         "the code hardly depends on the image ({value:.0f} active units): the posterior, or the encoder, has "
         "collapsed", (*CODES_COUNT, R1, SLOWER)),
    Rule("codes_used", "codebook_unused", lambda v, first, limits: v < limits.min_codes_used,
         "{value:.2g} of the codebook are all that is in use of it: its other entries are dead, as no vector of the "
         "encoder is near to them", (("", "a larger model.quantizer.expire"),
         ("", "a smaller model.quantizer.codebook_size"), ("", "model/quantizer=fsq, which learns no codebook"))),
    Rule("d_accuracy", "d_won", lambda v, first, limits: v > limits.max_accuracy,
         "D has won (accuracy at least {value:.3g} on held-out real and on fake images): the generator learns little "
         "from it", (R1, AUGMENT, OBJECTIVE, ("", SLOWER_D))),
    Rule(GRADIENT, "non_finite", lambda v, first, limits: not isfinite(v),
         "most gradients of the {name} are NaN or infinite: training has diverged, or the precision is too low",
         FINITE),
    Rule(GRADIENT, "gradient_vanished", lambda v, first, limits: v < limits.min_gradient,
         "the gradient of the {name} has vanished (norm {value:.2g}): its loss is flat, or its units are dead",
         (OBJECTIVE, R1, ("d_loss", SLOWER_D), SLOWER)),
    Rule(GRADIENT, "gradient_exploded", lambda v, first, limits: limits.max_growth * first < v < inf,
         "the gradient of the {name} has exploded (norm {value:.2g}, at first {first:.2g}): training is about to "
         "diverge", (R1, ("d_loss", "+model.clip.PLAYER=1"), SLOWER)),
)  # fmt: skip


def findings(
    values: Mapping[str, float], first_norms: Mapping[str, float], limits: Limits, terms: Collection[str]
) -> list[Finding]:
    """Find all signs.

    Args:
        values: those of the rules that were measured, `d_accuracy_real` and `d_accuracy_fake` in place of `d_accuracy`.
        first_norms: the first value of each `grad_norm_NETWORK`.
        limits: where a value becomes a sign.
        terms: names of the model's losses, by which remedies are chosen.
    """
    values = {**values, "d_accuracy": min(values.get(f"d_accuracy_{side}", 0.0) for side in ("real", "fake"))}
    found: dict[str, Finding] = {}
    for rule in RULES:
        for key in [key for key in values if key == rule.key or rule.key == GRADIENT == key[: len(GRADIENT)]]:
            name, value, first = key.removeprefix(GRADIENT), values[key], first_norms.get(key, values[key])
            sign = f"{rule.sign}/{name}" if rule.key == GRADIENT else rule.sign
            if rule.is_broken(value, first, limits):
                what = rule.what.format(value=value, first=first, name=name)
                *others, last = (text for term, text in rule.remedies if not term or term in terms)
                remedy = f"{', '.join(others)} or {last}" if others else last
                message = f"health: {what}. Try {remedy}."
                found[sign] = Finding(sign, value if isfinite(value) else None, message)
    if "samples_collapsed" in found:
        found.pop("samples_repeat", None)  # which they then do too
    return list(found.values())
