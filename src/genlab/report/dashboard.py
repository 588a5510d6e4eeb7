"""A saved W&B dashboard of a sweep, as a specification that W&B's library writes and checks."""

from typing import Any

from genlab.errors import UsageError
from genlab.report.keys import DATA, LATENT, MODEL, SEED
from genlab.report.sweep import Sweep


def dashboard(sweep: Sweep, entity: str, project: str) -> Any:
    """Specify a dashboard: scores, pictures side by side, health, and how keys and score go together.

    Args:
        sweep: whose cells share a W&B group of its name.
        entity: user or team that it is saved for.
        project: W&B project of the cells.

    Returns:
        A `wandb_workspaces.workspaces.Workspace`, not saved yet.

    Raises:
        UsageError: if the library is not installed.
    """
    try:
        from wandb_workspaces import expr
        from wandb_workspaces import workspaces as ws
    except ImportError:
        raise UsageError(
            'A W&B dashboard needs the package wandb-workspaces: type pip install -e ".[dashboard]".'
        ) from None
    sections = {
        "Score": _scores(sweep),
        "Samples and reconstructions": _pictures(),
        "Health": _lines(sorted(key for key in sweep.metrics if key.startswith("health/"))),
        "Model, data, latent dimension and score": [_parallel(sweep)],
    }
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"genlab {sweep.name}",
        sections=[ws.Section(name=name, panels=panels, is_open=True) for name, panels in sections.items() if panels],
        runset_settings=ws.RunsetSettings(filters=[expr.Metric("Group") == sweep.name]),
    )


def score_keys(sweep: Sweep) -> list[str]:
    """The metrics by which cells of the sweep are scored."""
    return sorted({cell.score_key for cell in sweep.cells if cell.score_key})


def specification(workspace: Any) -> dict[str, Any]:
    """The dashboard as W&B's server gets it."""
    specified: dict[str, Any] = workspace._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)
    return specified


def _scores(sweep: Sweep) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    against = [
        wr.LinePlot(title="Score against latent dimension", x="latent_dim", y=[f"score/{one}" for one in sweep.models]),
        *(
            wr.ScatterPlot(title=f"{key} of each cell", x=wr.Config(LATENT), y=wr.SummaryMetric(f"{key}.min"))
            for key in score_keys(sweep)
        ),
    ]
    over = [wr.LinePlot(title=f"{key} over images", x="train/images_seen", y=[key]) for key in score_keys(sweep)]
    return [*against, *over]


def _pictures() -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.MediaBrowser(title=key, media_keys=[f"{key}/grid"], mode="grid", grid_x_axis="run", grid_y_axis="step")
        for key in ("samples", "reconstructions")
    ]


def _lines(keys: list[str]) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    return [wr.LinePlot(title=key, x="train/images_seen", y=[key]) for key in keys]


def _parallel(sweep: Sweep) -> Any:
    import wandb_workspaces.reports.v2 as wr

    keys = list(dict.fromkeys([MODEL, DATA, LATENT, *(key for key in sweep.keys if key != SEED)]))
    columns = [wr.ParallelCoordinatesPlotColumn(wr.Config(key), sweep.labels.get(key, key)) for key in keys]
    scores = [wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(f"{key}.min"), key) for key in score_keys(sweep)]
    return wr.ParallelCoordinatesPlot([*columns, *scores], "Each cell a line")
