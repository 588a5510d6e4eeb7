"""The report in W&B: a run of its own with table and figures, and a dashboard that W&B's library writes and checks."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any

from genlab.errors import UsageError, one_line
from genlab.files import write_text
from genlab.names import shorten
from genlab.report.read import SEED
from genlab.report.table import DATA, LATENT, MODEL, Table

log = logging.getLogger(__name__)

WAITS = {"init_timeout": 30, "finish_timeout": 60, "finish_timeout_raises": True}  # seconds, as in logger=wandb


def to_wandb(table: Table, out: Path) -> None:
    """Log a written report to W&B, specify a dashboard in `dashboard.json`, and save it if W&B can be reached."""
    from genlab.loggers.arguments import import_wandb
    from genlab.loggers.wandb import choose_mode  # takes seconds

    reason = choose_mode()[1]
    project, entity = setting(table, "project") or "genlab", setting(table, "entity")
    if reason is None and not entity:
        with _one_sentence():
            entity = import_wandb().Api().default_entity
    workspace = dashboard(table, str(entity or "entity"), project)
    write_text(out / "dashboard.json", json.dumps(specification(workspace), indent=2) + "\n")
    log_report(table, out)
    if reason is None:
        with _one_sentence():
            workspace.save()
        log.info("Dashboard: %s", workspace.url)
        return
    homes = sorted({run.folder.parent for run in table.runs})
    recorded = [quote(str(out)), *(f"{quote(str(home))}/*" for home in homes)]
    log.warning(
        "W&B is offline (%s): the dashboard is specified in %s and not saved. Upload what was recorded with: "
        "wandb sync %s. Then type the same command again.",
        reason,
        out / "dashboard.json",
        " ".join(f"{folder}/wandb/offline-run-*" for folder in recorded),
    )


def log_report(table: Table, out: Path) -> None:
    """Log table and figures of a written report to a W&B run in the group of the sweep's runs."""
    from genlab.loggers.arguments import LONGEST, clean_repository, import_wandb
    from genlab.loggers.wandb import choose_mode

    wandb = import_wandb()
    mode, _ = choose_mode(setting(table, "mode") or ("offline" if setting(table, "offline") == "True" else None))
    place: dict[str, Any] = {"project": setting(table, "project") or "genlab", "entity": setting(table, "entity")}
    identity = hashlib.sha256(f"{place} {table.name}".encode()).hexdigest()[:8]  # the same sweep, the same run
    settings: dict[str, Any] = {"console": "off", "silent": True, **clean_repository(), **WAITS}
    with (
        _one_sentence(),
        wandb.init(
            **place,
            id=f"report-{identity}",
            resume="allow",
            name=shorten(f"report {table.name}", LONGEST),
            group=shorten(setting(table, "group") or table.name, LONGEST),
            job_type="report",
            dir=out,
            mode=mode or "online",
            settings=wandb.Settings(**settings),
        ) as run,
    ):
        run.define_metric("latent_dim", hidden=True)
        run.define_metric("score/*", step_metric="latent_dim")
        for row in scores_by_latent_dim(table):
            run.log(row)
        facts = table.facts.astype(object).where(table.facts.notna(), None)
        figures = {f"report/{path.stem}": wandb.Image(str(path)) for path in sorted((out / "figures").glob("*.png"))}
        run.log({"report/table": wandb.Table(dataframe=facts, allow_mixed_types=True), **figures})


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Turn whatever W&B raises into a UsageError."""
    try:
        yield
    except Exception as error:  # of W&B, of its network
        said = one_line(error)
        raise UsageError(f"The report is written, but W&B has not got it ({said}): type the command again.") from error


def scores_by_latent_dim(table: Table) -> Iterator[dict[str, float]]:
    """Mean scores of the models of the first ranked group, a row a latent dimension, the smallest first."""
    if not table.groups or not {MODEL, LATENT} <= {*table.keys}:
        return
    means = table.groups[0].rows.assign(latent_dim=table.numbers(LATENT)).pivot_table("score", "latent_dim", "model")
    for latent_dim, row in means.iterrows():
        yield {"latent_dim": float(str(latent_dim)), **row.dropna().add_prefix("score/")}


def setting(table: Table, name: str) -> str | None:
    """A setting of the runs' W&B logger; what they read from the environment is what W&B reads there."""
    runs = sorted(table.runs, key=lambda run: run.folder)  # by an order that no score changes
    found = [run.config.get(f"logger.wandb.{name}") for run in runs]
    known = [str(value) for value in found if value and "${" not in str(value)]
    return known[0] if known else os.environ.get(f"WANDB_{name.upper()}")


def dashboard(table: Table, entity: str, project: str) -> Any:
    """Specify a dashboard, a `Workspace`: scores, pictures side by side, health, and how keys and score go together."""
    try:
        import wandb_workspaces.reports.v2 as wr
        from wandb_workspaces import expr
        from wandb_workspaces import workspaces as ws
    except ImportError:
        raise UsageError(
            'A W&B dashboard needs the package wandb-workspaces: type pip install -e ".[dashboard]".'
        ) from None

    def over_images(keys: Sequence[Any], title: str = "{}") -> list[Any]:
        return [wr.LinePlot(title=title.format(key), x="train/images_seen", y=[key]) for key in keys]

    scores = sorted(table.frame["score_key"].dropna().unique())
    lowest = {key: wr.SummaryMetric(f"{key}.min") for key in scores}
    named = dict.fromkeys([MODEL, DATA, LATENT, *(key for key in table.keys if key != SEED)])
    axes = {table.labels.get(key, key): wr.Config(key) for key in named} | lowest
    columns = [wr.ParallelCoordinatesPlotColumn(metric, label) for label, metric in axes.items()]
    means: list[Any] = [f"score/{model}" for model in table.models]
    sections = {
        "Score": [
            wr.LinePlot(title="Score against latent dimension", x="latent_dim", y=means),
            *(wr.ScatterPlot(title=f"{key} of each run", x=wr.Config(LATENT), y=y) for key, y in lowest.items()),
            *over_images(scores, "{} over images"),
        ],
        "Samples and reconstructions": [
            wr.MediaBrowser(title=kind, media_keys=[f"{kind}/grid"], mode="grid", grid_x_axis="run", grid_y_axis="step")
            for kind in ("samples", "reconstructions")
        ],
        "Health": over_images(sorted(key for key in table.metrics if key.startswith("health/"))),
        "Model, data, latent dimension and score": [wr.ParallelCoordinatesPlot(columns, "Each run a line")],
    }
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"genlab {table.name}",
        sections=[ws.Section(name=name, panels=panels, is_open=True) for name, panels in sections.items() if panels],
        runset_settings=ws.RunsetSettings(filters=[expr.Metric("Group") == table.name]),
    )


def specification(workspace: Any) -> Any:
    """The dashboard as W&B's server gets it."""
    return workspace._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)
