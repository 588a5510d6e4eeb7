"""The metrics of a run in its `summary.json`, kept up to date while it trains."""

from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from genlab.run.folder import update_summary
from genlab.stamp import error_key
from genlab.trainer.schedule import newest_score, scorer


class Summary(Callback):
    """Keeps metrics with their protocol, images seen, speed and parameter counts in a run folder's `summary.json`.

    Written at the start and after every validation.
    """

    def __init__(self, dirpath: str) -> None:
        self.dirpath = Path(dirpath)
        self._protocols: dict[str, dict[str, Any]] = {}  # of the newest scores, by their keys
        self._evaluation_start = self._train_start = perf_counter()
        self._training_seconds = self._evaluation_seconds = 0.0  # before this start

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._train_start = perf_counter() - self._training_seconds - self._evaluation_seconds
        counts = {name: sum(p.numel() for p in net.parameters()) for name, net in pl_module.named_children()}
        if trainer.is_global_zero:
            total = {**counts, "total": sum(counts.values())}
            update_summary(self.dirpath, parameters=total, n_threads=torch.get_num_threads())

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._evaluation_start = perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        if trainer.sanity_checking:
            return
        now = perf_counter()
        self._evaluation_seconds += now - self._evaluation_start
        training_seconds = now - self._train_start - self._evaluation_seconds
        if trainer.is_global_zero:
            update_summary(
                self.dirpath,
                score=_score(trainer),
                metrics=self._metrics(trainer),
                epochs=trainer.current_epoch + 1,
                steps=trainer.global_step,
                images_seen=pl_module.images_seen,
                images_per_second=round(pl_module.images_seen / training_seconds, 1),
                training_seconds=round(training_seconds, 2),
                evaluation_seconds=round(self._evaluation_seconds, 2),
            )

    def _metrics(self, trainer: Trainer) -> dict[str, Any]:
        metrics: dict[str, Any] = {key: {"value": value.item()} for key, value in trainer.callback_metrics.items()}
        scores = scorer(trainer)
        if scores is not None and scores.score is not None:
            self._protocols[scores.score_key] = dict(scores.protocol)
        for key in self._protocols.keys() & metrics.keys():
            metrics[key]["protocol"] = self._protocols[key]
        return metrics

    def state_dict(self) -> dict[str, Any]:
        training_seconds = perf_counter() - self._train_start - self._evaluation_seconds
        seconds = {"training_seconds": training_seconds, "evaluation_seconds": self._evaluation_seconds}
        return {"protocols": self._protocols, **seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there; checkpoints of earlier versions know less."""
        self._protocols = state_dict.get("protocols", {})
        self._training_seconds = state_dict.get("training_seconds", 0.0)
        self._evaluation_seconds = state_dict.get("evaluation_seconds", 0.0)


def _score(trainer: Trainer) -> dict[str, Any] | None:
    """The newest score, with its standard error where it has one; None before the first."""
    newest = newest_score(trainer)
    if newest is None:
        return None
    error = trainer.callback_metrics.get(error_key(newest[0]))
    return {"name": newest[0], "value": newest[1]} | ({} if error is None else {"error": error.item()})
