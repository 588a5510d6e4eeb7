"""What a score was measured on and with. Only values with equal stamps may be compared. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from genlab.errors import UsageError

if TYPE_CHECKING:
    from genlab.protocols import FeatureEncoder


NORMAL = 1.96  # standard errors: half of a 95% interval


@dataclass(frozen=True)
class Stamp:
    """The protocol of one value. Fields that do not bear on a metric are None."""

    metric: str
    data: str  # name of the data set
    images: str | None = None  # fingerprint of the real images that took part
    split: str | None = None  # where they are from
    n_real: int | None = None
    n_fake: int | None = None
    image_shape: str | None = None
    crop: str | None = None
    fit: str | None = None
    filter: str | None = None  # by which images were brought to their size
    binarize: str | None = None
    encoder: str | None = None
    layer: str | None = None
    resize: str | None = None  # what the encoder does to an image first
    library: str | None = None
    settings: str | None = None  # of the metric
    seed: int | None = None
    weights: str | None = None  # raw or ema
    trained_on: str | None = None  # the network of the score, where the model has descended a distance in its features
    prior: str | None = None  # a density fitted to codes, if codes were not drawn from the model's own prior
    generated: str | None = None  # beside black and white data: drawn from p(x | z), or mean, as it is decoded

    def as_dict(self) -> dict[str, Any]:
        """The fields that are set."""
        return {field: value for field, value in asdict(self).items() if value is not None}


class Measurement(NamedTuple):
    """A value with its stamp."""

    value: float
    stamp: Stamp
    better: str = ""  # "lower" or "higher", if one is
    spread: float | None = None  # standard deviation over the parts that it is a mean of
    note: str = ""  # what to mind when reading it
    entries: tuple[float, ...] = ()  # what it is made of, such as one value for each entry of a code
    error: float | None = None  # standard error over other samples of the same model, the reference being what it is

    def as_dict(self) -> dict[str, Any]:
        """Plain containers for a JSON file."""
        more = {"error": self.error, "spread": self.spread, "note": self.note, "entries": list(self.entries)}
        return {"value": self.value, "protocol": self.stamp.as_dict()} | {k: v for k, v in more.items() if v}


class DifferentProtocols(UsageError):
    """Two values can't be compared; `names` are those of what was measured."""

    names: tuple[str, str] = ("", "")


def error_key(key: str) -> str:
    """The metric that is the standard error of another one over other samples of the same weights."""
    return f"{key}_error"


def encoder_fields(encoder: FeatureEncoder) -> dict[str, str]:
    """What a stamp says of an encoder: all that the features of an image depend on."""
    return {"encoder": encoder.name} | {name: getattr(encoder, name) for name in ("layer", "resize", "library")}


def trained_on(model: Any, network: str) -> str | None:
    """The name of the network that a score comes from, if the model has descended a distance in its features."""
    return network if network in getattr(model, "trained_on", ()) else None


def prior_of(model: Any) -> str | None:
    """A fitted density that a model draws codes from, with its settings; None for the model's own prior."""
    density = getattr(model, "density", None)
    return density.protocol if density else None


def stamp(metric: str, data: Any, split: str, encoder: FeatureEncoder | None = None, **fields: Any) -> Stamp:
    """The protocol of a value that was measured on a split of a data set, an `ImageDataModule`.

    Args:
        metric: its name.
        data, split: where the real images are from.
        encoder: that described images; None if none took part.
        fields: further ones, or others than these.
    """
    known = {"data": data.name, "images": data.fingerprint(split), "split": split, "n_real": len(data.images(split))}
    if encoder is not None:
        known |= encoder_fields(encoder)
    return Stamp(metric, **(known | data.view | fields))


def differences(a: Stamp, b: Stamp) -> dict[str, tuple[Any, Any]]:
    """The fields in which two stamps differ, with both values."""
    first, second = asdict(a), asdict(b)
    return {field: (first[field], second[field]) for field in first if first[field] != second[field]}


def require_same_protocol(measurements: Mapping[str, Measurement]) -> None:
    """Raise DifferentProtocols if two measurements, by the names of what was measured, have different stamps."""
    (first, reference), *others = measurements.items()
    for name, measurement in others:
        if differing := differences(reference.stamp, measurement.stamp):
            fields = "; ".join(f"{field} is {a} and {b}" for field, (a, b) in differing.items())
            error = DifferentProtocols(
                f"{reference.stamp.metric} of {first} and {name} can't be compared, as they were measured by different "
                f"protocols: {fields}."
            )
            error.names = (first, name)
            raise error


def ranked(measurements: Mapping[str, Measurement]) -> list[str]:
    """Return the names of measurements of one metric, the best first.

    Raises:
        DifferentProtocols: if they are of different ones.
        ValueError: if neither low nor high values are better.
    """
    require_same_protocol(measurements)
    better = {measurement.better for measurement in measurements.values()}
    if better not in ({"lower"}, {"higher"}):
        raise ValueError("Nothing says which of these values are better.")
    return sorted(measurements, key=lambda name: measurements[name].value, reverse=better == {"higher"})
