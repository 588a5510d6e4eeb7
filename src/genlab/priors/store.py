"""Files of fitted densities, beside the checkpoint to whose codes they were fitted."""

from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import OmegaConf

from genlab.config.build import build
from genlab.files import write_bytes
from genlab.foreign import check_size, own_path
from genlab.priors.density import Density
from genlab.protocols import Samples
from genlab.run.checkpoint import explain_damage, load_plain


class Fit(NamedTuple):
    """What tells a fit from any other.

    Attributes:
        prior: the node of the density, plain.
        codes: whose codes it is fitted to, see `LoadedRun`: a digest of the weights.
        seed: of its randomness.
    """

    prior: dict[str, Any]
    codes: str
    seed: int

    @property
    def settings(self) -> str:
        """As in `mixture (n_components=10)`, which a score's protocol says."""
        named = ", ".join(f"{key}={value}" for key, value in self.prior.items() if key != "_target_")
        return f"{prior_name(self.prior)} ({named})" if named else prior_name(self.prior)


def build_density(node: Any, model: Samples) -> Density:
    """Make the density of a node for the codes of a model, not fitted yet."""
    density: Density = build(node, _partial_=True)(model)
    return density


def prior_name(node: Any) -> str:
    """The name of a density, by its node."""
    return str(node["_target_"]).rpartition(".")[2].lower()


def prior_path(checkpoint: Path, name: str) -> Path:
    """The file of a density: RUN/priors/NAME.ckpt, or priors/NAME.ckpt beside a checkpoint that is in no run folder."""
    folder = checkpoint.parent
    return own_path(folder.parent if folder.name == "checkpoints" else folder, f"priors/{name}.ckpt")


def write_density(path: Path, fit: Fit, density: Density, is_complete: bool) -> None:
    """Write a density, and what it needs to go on if its fit is not complete: tensors and plain containers alone."""
    training = {} if is_complete else density.training_state()
    buffer = BytesIO()
    torch.save({**fit._asdict(), "state_dict": density.state_dict(), "training": training, "done": is_complete}, buffer)
    write_bytes(path, buffer.getvalue())


def read_density(path: Path, model: Samples) -> tuple[Fit, Density, bool] | None:
    """Read the density of the codes of a model: its fit, itself, and whether it is complete; None if there is no file.

    Raises:
        DamagedCheckpoint: if the file is damaged.
        UsageError: if it can't be read, or holds what is no density.
    """
    if not path.is_file():
        return None
    with explain_damage(path):
        stored = load_plain(path)
        check_size(stored["prior"])
        fit = Fit(*(stored[name] for name in Fit._fields))
        density = build_density(OmegaConf.create({"prior": fit.prior}).prior, model)
        density.load_state_dict(stored["state_dict"])
        density.load_training_state(stored["training"])
        density.protocol = fit.settings
        return fit, density.eval(), bool(stored["done"])
