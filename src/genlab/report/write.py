"""From run folders to a report."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pandas as pd
import rich.table
from omegaconf import DictConfig

from genlab.command_line import typed
from genlab.config.keys import check_keys
from genlab.console import console
from genlab.errors import UsageError, unknown
from genlab.files import write_bytes, write_text
from genlab.foreign import printable
from genlab.report.figures import draw_figures
from genlab.report.find import named_folders, run_folders, sweep_folder
from genlab.report.page import render
from genlab.report.table import Table, read_table
from genlab.report.text import number
from genlab.report.wandb import to_wandb

Publish = Callable[[Table, Path], None]  # does something with a report that has been written to a folder

FORMULA = ("=", "+", "-", "@", "\t", "\n")  # how a formula begins
FIGURES = ("score_against_*.png", "heat_*.png", "curves.png")
MOST_ROWS = 10  # of a group on the terminal


def report(cfg: DictConfig) -> Path:
    """Write and announce the report that a configuration asks for.

    Returns:
        The page.

    Raises:
        UsageError: if it names no runs, or if nothing can be written.
    """
    check_keys(cfg)
    runs = [cfg.runs] if isinstance(cfg.runs, str) else [str(run) for run in cfg.runs or []]
    if bool(runs) == bool(cfg.sweep):
        raise UsageError("Type sweep=PATH (a folder of run folders), or runs=A,B,C (run folders): one of the two.")
    if cfg.to not in (None, "wandb"):
        raise UsageError(unknown("value of to", str(cfg.to), ["wandb"]))
    out, log_dir = Path(cfg.out) if cfg.out else None, Path(cfg.paths.log_dir)
    if cfg.sweep:
        folder = sweep_folder(str(cfg.sweep), log_dir)
        page, table = _write(folder, run_folders(folder), out or folder)
    else:
        out = out or log_dir / "report" / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
        page, table = _write(None, named_folders(runs), out)
    _show(table, page)
    if cfg.to:
        to_wandb(table, page.parent)
    return page


def write_report(sweep_dir: Path, out: Path | None = None, publish: Publish | None = None) -> Path:
    """Write the report of a sweep: `report.html`, `report.csv` and `figures/`.

    Args:
        sweep_dir: folder with run folders in it, at any depth.
        out: folder for the report; the sweep's own if left out.
        publish: what to do with it once it is written.

    Returns:
        The page.

    Raises:
        UsageError: if there is no run in the folder, or if nothing can be written.
    """
    page, table = _write(sweep_dir, run_folders(sweep_dir), out or sweep_dir)
    if publish:
        publish(table, page.parent)
    return page


def _write(sweep: Path | None, folders: list[Path], out: Path) -> tuple[Path, Table]:
    table = read_table(sweep.absolute().name if sweep else f"{len(folders)} runs", folders, sweep)
    figures, page = draw_figures(table), out / "report.html"
    again = f"python src/report.py {typed('sweep', sweep) if sweep else typed('runs', folders)}"
    try:
        for old in (path for names in FIGURES for path in (out / "figures").glob(names)):
            old.unlink()  # of a report on other keys
        for figure in figures:
            write_bytes(out / "figures" / f"{figure.name}.png", figure.png)
        write_text(out / "report.csv", _without_formulas(table.facts).to_csv(index=False))
        write_text(page, printable(render(table, figures, again, sweep)))
    except OSError as error:
        raise UsageError(
            f"The report can't be written to {out}: {error}. Choose another folder by out=PATH."
        ) from error
    return page, table


def _without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before texts that a spreadsheet would run as a formula."""
    objects = frame.astype(object)  # whole numbers stay whole
    return objects.map(lambda value: f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value)


def _show(table: Table, path: Path) -> None:
    """Print the best runs of each group, those that went wrong, and where the report is."""
    out = console()
    for title, _, rows in table.groups:
        shown = rich.table.Table(title=f"{title}, lower is better", title_justify="left")
        shown.add_column("rank", justify="right", no_wrap=True)
        shown.add_column("score", justify="right", no_wrap=True)
        shown.add_column("run", overflow="fold")
        shown.add_column("status", no_wrap=True)
        for _, row in rows[:MOST_ROWS].iterrows():
            shown.add_row(str(row["rank"]), number(row["score"]), row["title"], row["status"])
        out.print(shown)
        if (more := len(rows) - MOST_ROWS) > 0:
            out.print(f"and {more} more")
    others = table.unranked["title"][:MOST_ROWS]
    for run, title in zip(table.runs[len(table.runs) - len(table.unranked) :], others, strict=False):
        out.print(f"{run.status}: {title}: {'; '.join(run.damage) or run.summary.get('error') or 'no score yet'}")
    counts = ", ".join(f"{n} {status}" for status, n in table.statuses.items())
    out.print(f"{len(table.runs)} runs: {counts}")
    out.print(printable(str(path)), soft_wrap=True)
