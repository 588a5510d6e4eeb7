"""The report in W&B: a run of its own with table and figures, and a saved dashboard."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any

from genlab.errors import UsageError
from genlab.files import write_text
from genlab.names import shorten
from genlab.report.dashboard import dashboard, specification
from genlab.report.keys import LATENT, MODEL
from genlab.report.sweep import Sweep

log = logging.getLogger(__name__)

WAITS = {"init_timeout": 30, "finish_timeout": 60, "finish_timeout_raises": True}  # seconds, as in logger=wandb


def to_wandb(sweep: Sweep, out: Path) -> None:
    """Log a written report to W&B, and save the dashboard if W&B can be reached.

    The dashboard's specification is also left in `dashboard.json`.

    Args:
        sweep: what the report is about.
        out: the folder that the report was written to.

    Raises:
        UsageError: if the package that dashboards need is not installed, or if W&B fails.
    """
    from genlab.loggers.arguments import import_wandb
    from genlab.loggers.wandb import offline_reason  # takes seconds

    wandb = import_wandb()
    reason = offline_reason()
    project, entity = setting(sweep, "project") or "genlab", setting(sweep, "entity")
    if reason is None and not entity:
        with _reached():
            entity = wandb.Api().default_entity
    workspace = dashboard(sweep, str(entity or "entity"), project)
    write_text(out / "dashboard.json", json.dumps(specification(workspace), indent=2) + "\n")
    log_report(sweep, out)
    if reason is None:
        with _reached():
            workspace.save()
        log.info("Dashboard: %s", workspace.url)
    else:
        recorded = [(out, ""), *((folder, "/*") for folder in sorted({cell.folder.parent for cell in sweep.cells}))]
        log.warning(
            "W&B is offline (%s): the dashboard is specified in %s and not saved. Upload what was recorded with: "
            "wandb sync %s. Then type the same command again.",
            reason,
            out / "dashboard.json",
            " ".join(f"{quote(str(folder))}{rest}/wandb/offline-run-*" for folder, rest in recorded),
        )


def log_report(sweep: Sweep, out: Path) -> None:
    """Log table and figures of a written report to a W&B run in the group of the sweep's cells.

    Raises:
        UsageError: if W&B fails.
    """
    from genlab.loggers.arguments import LONGEST, clean_repository, import_wandb
    from genlab.loggers.wandb import choose_mode, offline_reason

    wandb = import_wandb()
    mode, _ = choose_mode(setting(sweep, "mode"), offline=setting(sweep, "offline") == "True")
    mode = mode if mode in ("disabled", "offline") else "offline" if offline_reason() else "online"
    settings: dict[str, Any] = {"project": setting(sweep, "project") or "genlab", "entity": setting(sweep, "entity")}
    identity = hashlib.sha256(f"{settings} {sweep.name}".encode()).hexdigest()[:8]  # the same sweep, the same run
    own: dict[str, Any] = {"console": "off", "silent": True, **clean_repository(), **WAITS}
    with (
        _reached(),
        wandb.init(
            **settings,
            id=f"report-{identity}",
            resume="allow",
            name=shorten(f"report {sweep.name}", LONGEST),
            group=shorten(setting(sweep, "group") or sweep.name, LONGEST),
            job_type="report",
            dir=out,
            mode=mode,
            settings=wandb.Settings(**own),
        ) as run,
    ):
        run.define_metric("latent_dim", hidden=True)
        run.define_metric("score/*", step_metric="latent_dim")
        for row in scores_by_latent_dim(sweep):
            run.log(row)
        table = sweep.table.astype(object).where(sweep.table.notna(), None)
        figures = {f"report/{path.stem}": wandb.Image(str(path)) for path in sorted((out / "figures").glob("*.png"))}
        run.log({"report/table": wandb.Table(dataframe=table, allow_mixed_types=True), **figures})


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of W&B, of its network
        said = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"The report is written, but W&B has not got it ({said}): type the command again.") from error


def scores_by_latent_dim(sweep: Sweep) -> Iterator[dict[str, float]]:
    """Mean scores of the models of the first ranked group, a row a latent dimension, the smallest first."""
    if not sweep.groups or MODEL not in sweep.table or LATENT not in sweep.table:
        return
    table = sweep.table[sweep.table["group"] == 1]
    means = table.groupby([LATENT, MODEL])["score"].mean().unstack()
    for latent_dim, row in means.sort_index().iterrows():
        yield {
            "latent_dim": float(str(latent_dim)),
            **{f"score/{model}": score for model, score in row.dropna().items()},
        }


def setting(sweep: Sweep, name: str) -> str | None:
    """A setting of the cells' W&B logger; what they read from the environment is what W&B reads there."""
    found = [cell.config.get(f"logger.wandb.{name}") for cell in sweep.cells]
    known = [str(value) for value in found if value and "${" not in str(value)]
    return known[0] if known else os.environ.get(f"WANDB_{name.upper()}")
