"""What all modes have in common: they say what they need of a run, and return something that can be written."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import BinaryIO, ClassVar, Protocol

from hydra.utils import get_class
from torch import Generator

from genlab.conditioning import condition_of
from genlab.errors import UsageError, listed
from genlab.foreign import parse_yaml
from genlab.modes.labels import Label
from genlab.protocols import LoadedRun, Reconstructs
from genlab.redaction import CONFIGS


class Drawing(Protocol):
    """What a mode returns."""

    @abstractmethod
    def write(self, file: BinaryIO, ending: str) -> None:
        """Write it into an open file, in the format of an ending: `.png`, `.npz`, ..."""


class Mode(ABC):
    """A way to look at a run, with a `format` that has been asked for, if one has."""

    formats: ClassVar[Sequence[str]] = ("png", "npz")  # that it can be written in, the usual one first
    format: str | None
    label: Label = None  # of a conditional model, where a mode takes one

    @property
    def name(self) -> str:
        """As it is typed."""
        return type(self).__name__.lower()

    @classmethod
    def why_not(cls, run: LoadedRun) -> str | None:
        """What a run lacks, as in `an encoder, which a GAN has not`; None if the mode has all that it needs."""
        return None

    @abstractmethod
    def __call__(self, run: LoadedRun, generator: Generator) -> Drawing:
        """Look at a run, whose model is in evaluation mode, without gradients; all noise comes from the generator."""

    def check(self, run: LoadedRun) -> None:
        """Raise a UsageError that names the modes which a run has all for, unless this is one of them."""
        if reason := self.why_not(run):
            fitting = [name for name, mode in all_modes().items() if mode.why_not(run) is None]
            raise UsageError(f"mode={self.name} needs {reason}. Modes that fit this run: {listed(fitting)}.")
        if self.label is not None:
            if condition_of(run.model) is None:
                raise UsageError(
                    f"mode.label={self.label} is for a model that was trained with labels, as model/condition=class "
                    "does, and this run was not: leave it out."
                )
            run.model.condition.ask(self.label, 1)


def all_modes() -> dict[str, type[Mode]]:
    """The modes of `configs/mode`, by their names."""
    files = sorted((CONFIGS / "mode").glob("*.yaml"))
    return {file.stem: get_class(parse_yaml(file.read_text(encoding="utf-8"))["_target_"]) for file in files}


def needs_encoder(run: LoadedRun) -> str | None:
    """What a mode says that looks at codes of images, of a run without an encoder."""
    return None if isinstance(run.model, Reconstructs) else f"an encoder, which {type(run.model).__name__} has not"


def needs_two_entries(run: LoadedRun) -> str | None:
    """What a mode says that shows a plane of codes, of a run whose codes are numbers."""
    return "codes of two entries or more, and those of this run have one" if run.model.latent_dim < 2 else None
