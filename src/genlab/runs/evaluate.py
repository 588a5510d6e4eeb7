"""Evaluation of a trained model on the test split."""

import json
from pathlib import Path
from typing import Any

from lightning.pytorch import seed_everything
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from genlab.runs.build import build
from genlab.runs.load import Run, load_run
from genlab.runs.machine import check_machine, quieten


def evaluate(cfg: DictConfig) -> dict[str, Any]:
    """Measure the losses on the test split and the score of a run, and print them with their protocol.

    Returns:
        `metrics` by name and the `protocol` of the score, as also written to `evaluation.json`.
    """
    quieten()
    check_machine(cfg.trainer)
    run = load_run(cfg.run, cfg.weights)
    seed_everything(cfg.seed, workers=True, verbose=False)
    frechet = build(cfg.frechet)
    trainer = build(cfg.trainer, callbacks=[frechet], logger=False)
    trainer.test(run.model, run.datamodule, verbose=False)
    result = {
        "run": str(cfg.run),
        "checkpoint": run.checkpoint.name,
        "metrics": {key: value.item() for key, value in trainer.callback_metrics.items()},
        "protocol": frechet.protocol,
    }
    if trainer.is_global_zero:
        _show(result, run)
        Path(cfg.paths.run_dir, "evaluation.json").write_text(json.dumps(result, indent=2) + "\n")
    return result


def _show(result: dict[str, Any], run: Run) -> None:
    table = Table(title=f"{type(run.model).__name__}, {run.checkpoint}", title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for key, value in sorted(result["metrics"].items()):
        table.add_row(key, f"{value:.5g}")
    console = Console()
    console.print(table)
    console.print("Protocol: " + ", ".join(f"{key}={value}" for key, value in result["protocol"].items()))
