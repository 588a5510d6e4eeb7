"""Early signs that a run has gone wrong."""

import logging
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Generator
from torch.optim import Optimizer

from genlab.bounds import AtLeastTwo, NonNegativeFloat, NonNegativeInt, PositiveInt
from genlab.callbacks.gradients import GradientNorms, fused_scale
from genlab.callbacks.health_rules import HOPELESS, Limits, findings
from genlab.conditioning import given, labels_for
from genlab.images import to_float
from genlab.metrics import active_units
from genlab.metrics.diversity import distinctness, diversity, saturation
from genlab.protocols import Reconstructs, Samples, require
from genlab.run.folder import update_summary
from genlab.sampling import sampler
from genlab.trainer.internals import loggers_are_due

log = logging.getLogger(__name__)

STATE = ("in_a_row", "warnings", "first_norms")


class Health(Callback):
    """Measures at every validation whether samples vary, codes count and gradients flow, and warns in one line.

    Logged as `health/...`; D's accuracies and the used share of a codebook, which it looks at too, are
    `val/d_accuracy_...` and `val/codes_used`. A sign is warned of once,
    and again only if it has gone in between; `summary.json` has all of it under `health`. The balance of the two losses
    is no sign: it rests at another value in every game. Nor is a D that guesses, which is where the game ends well.

    Args:
        dirpath: the run folder.
        n_samples: how many samples are compared with as many validation images, at least 2.
        seed: fixes the codes.
        grace: images seen before a sign counts: an untrained model shows most of them. NaN counts at once.
        patience: validations in a row that D has to win.
        stop_after: validations in a row with a hopeless sign (samples or codes collapsed, NaN) after which
            training stops; None for never.
        limits: see `Limits`.
    """

    def __init__(
        self,
        dirpath: str,
        n_samples: AtLeastTwo = 64,
        seed: int = 0,
        grace: NonNegativeInt = 30_000,
        patience: PositiveInt = 3,
        stop_after: PositiveInt | None = None,
        **limits: NonNegativeFloat,
    ) -> None:
        self.dirpath, self.seed, self.limits = Path(dirpath), seed, Limits(**limits)
        self.n_samples = n_samples
        self.grace = grace
        self.patience = patience
        self.stop_after = stop_after
        self.in_a_row: dict[str, int] = {}  # validations with a sign, up to the newest
        self.warnings: list[dict[str, Any]] = []
        self.first_norms: dict[str, float] = {}
        self.gradients = GradientNorms()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a model that can't sample; say what can't be measured."""
        require(pl_module, Samples, "callbacks.health", "remove it with ~callbacks.health")
        data = getattr(trainer, "datamodule", None)
        if data is not None and trainer.is_global_zero and len(data.images("val")) < 2:
            log.warning("health: diversity and distinctness need 2 validation images or more, and %s has 1.", data.name)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Measure the gradients, on the steps on which the loggers write: it takes a pass over the weights."""
        if loggers_are_due(trainer):
            self.gradients.note(pl_module, optimizer, fused_scale(trainer, optimizer))

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if norms := self.gradients.close_batch():
            pl_module.note({f"health/grad_norm_{name}": norm for name, norm in norms.items()})

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Measure, warn, write, and stop if there is no hope."""
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        losses = {key[4:]: value for key, value in trainer.callback_metrics.items() if key.startswith("val/")}
        values = self._measured(trainer, pl_module) | loss_balance(losses)
        logged = {f"health/{name}": value for name, value in values.items() if name != "non_finite"}  # that is always 0
        pl_module.log_dict(logged, sync_dist=True)  # equal on all processes
        watched = ("d_accuracy_", "codes_used")
        values |= {name: value.item() for name, value in losses.items() if name.startswith(watched)}
        values |= {f"grad_norm_{name}": norm for name, norm in self.gradients.typical().items()}
        when = {"epoch": trainer.current_epoch + 1, "images_seen": pl_module.images_seen}
        messages = self._new_warnings(values, set(losses), when)
        stopped = self._gives_up(trainer)
        if trainer.is_global_zero:
            for message in messages:
                log.warning("%s", message)
            status = "warned" if self.warnings else "good"
            newest = {name: value if isfinite(value) else None for name, value in values.items()}
            health = {"status": status, "newest": newest, "warnings": self.warnings, "stopped": stopped}
            update_summary(self.dirpath, health=health)

    @torch.no_grad()
    def _measured(self, trainer: Trainer, pl_module: Any) -> dict[str, float]:
        """On the same images and codes every time and on all processes; of one image, what needs no second one."""
        x = to_float(trainer.datamodule.examples("val", self.n_samples).to(pl_module.device))  # type: ignore[attr-defined]
        generator = Generator().manual_seed(self.seed)
        samples = sampler(pl_module, trainer.datamodule, len(x), generator)(slice(len(x)))  # type: ignore[attr-defined]
        measures = (diversity, distinctness, saturation) if len(x) > 1 else (saturation,)
        values = {measure.__name__: measure(samples, x).item() for measure in measures}
        values["non_finite"] = 1 - samples.isfinite().float().mean().item()
        if isinstance(pl_module, Reconstructs) and len(x) > 1:
            y = labels_for(pl_module, trainer.datamodule.example_labels("val", self.n_samples))  # type: ignore[attr-defined]
            values["active_units"] = float(active_units(pl_module.encode(x, **given(y)).flatten(1)))
        return values

    def _new_warnings(self, values: dict[str, float], terms: set[str], when: dict[str, int]) -> list[str]:
        """Count the validations in a row with each sign, and return messages of those that have just become alarms."""
        for key, value in values.items():
            if key.startswith("grad_norm_") and self.limits.min_gradient < value < float("inf"):
                self.first_norms.setdefault(key, value)
        found = findings(values, self.first_norms, self.limits, terms)
        if when["images_seen"] < self.grace:
            found = [finding for finding in found if finding.sign.startswith("non_finite")]
        self.in_a_row = {finding.sign: self.in_a_row.get(finding.sign, 0) + 1 for finding in found}
        patience = {"d_won": self.patience}
        new = [finding for finding in found if self.in_a_row[finding.sign] == patience.get(finding.sign, 1)]
        self.warnings += [finding._asdict() | when for finding in new]
        return [finding.message for finding in new]

    def _gives_up(self, trainer: Trainer) -> bool:
        """Stop all processes together, as the first one decides."""
        n_most = self.stop_after or float("inf")
        held = [sign for sign, n in self.in_a_row.items() if sign.split("/")[0] in HOPELESS and n >= n_most]
        held = trainer.strategy.broadcast(held)
        if held:
            trainer.should_stop = True
            if trainer.is_global_zero:
                reason = f"{' and '.join(held)} for {self.stop_after} validations in a row"
                log.warning("health: training stops after epoch %d: %s.", trainer.current_epoch + 1, reason)
        return bool(held)

    def state_dict(self) -> dict[str, Any]:
        """Counters, the warnings so far, the first norms and those since the newest validation."""
        return {name: getattr(self, name) for name in STATE} | {"gradients": self.gradients.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.gradients.load_state_dict(state_dict.get("gradients", {}))
        for name in STATE:
            setattr(self, name, state_dict[name])


def loss_balance(losses: Mapping[str, Any]) -> dict[str, float]:
    """(g_loss - d_loss) / (|g_loss| + |d_loss|) in [-1, 1], as `loss_balance`; nothing for losses of no two players.

    It rises while D gains the upper hand. Where it rests depends on the game: at -1/3 for the non-saturating one, whose
    undecided D has the losses log 4 and log 2.
    """
    if not {"d_loss", "g_loss"} <= losses.keys():
        return {}
    d_loss, g_loss = float(losses["d_loss"]), float(losses["g_loss"])
    total = abs(d_loss) + abs(g_loss)
    return {"loss_balance": (g_loss - d_loss) / total if total else 0.0}
