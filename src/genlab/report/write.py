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
from genlab.report.figures import drawn_figures
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
    publish = to_wandb if cfg.to else None
    if cfg.sweep:
        folder = sweep_folder(str(cfg.sweep), Path(cfg.paths.log_dir))
        return write_report(folder, out=Path(cfg.out) if cfg.out else None, quiet=False, publish=publish)
    folders = named_folders(runs)
    out = Path(cfg.out or Path(cfg.paths.log_dir) / "report" / f"{datetime.now():%Y-%m-%d_%H-%M-%S}")
    table = read_table(f"{len(folders)} runs", folders)
    return _write(table, out, typed("runs", folders), None, quiet=False, publish=publish)


def write_report(sweep_dir: Path, out: Path | None = None, quiet: bool = True, publish: Publish | None = None) -> Path:
    """Write the report of a sweep: `report.html`, `report.csv` and `figures/`.

    Args:
        sweep_dir: folder with run folders in it, at any depth.
        out: folder for the report; the sweep's own if left out.
        quiet: whether the terminal is left alone.
        publish: what to do with it once it is written.

    Returns:
        The page.

    Raises:
        UsageError: if there is no run in the folder, or if nothing can be written.
    """
    table = read_table(sweep_dir.absolute().name, run_folders(sweep_dir), sweep_dir)
    return _write(table, out or sweep_dir, typed("sweep", sweep_dir), sweep_dir, quiet, publish)


def _write(table: Table, out: Path, which: str, home: Path | None, quiet: bool, publish: Publish | None) -> Path:
    figures = list(drawn_figures(table))
    page = out / "report.html"
    try:
        (out / "figures").mkdir(parents=True, exist_ok=True)
        for old in (path for names in FIGURES for path in (out / "figures").glob(names)):
            old.unlink()  # of a report on other keys
        for figure in figures:
            write_bytes(out / "figures" / f"{figure.name}.png", figure.light)
        write_text(out / "report.csv", _harmless(table.facts).to_csv(index=False))
        # Whoever has the page open sees the old one or the new one.
        write_text(page, printable(render(table, figures, f"python src/report.py {which}", home)))
    except OSError as error:
        raise UsageError(
            f"The report can't be written to {out}: {error}. Choose another folder by out=PATH."
        ) from error
    if not quiet:
        _show(table, page)
    if publish:
        publish(table, out)
    return page


def _harmless(frame: pd.DataFrame) -> pd.DataFrame:
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
    others = table.unranked[:MOST_ROWS]
    for run, title in zip(table.runs[len(table.runs) - len(table.unranked) :], others["title"], strict=False):
        reason = "; ".join(run.damage) or run.summary.get("error") or "no score yet"
        out.print(f"{run.status}: {title}: {reason}")
    counts = ", ".join(f"{n} {status}" for status, n in table.statuses.items())
    out.print(f"{len(table.runs)} runs: {counts}")
    out.print(printable(str(path)), soft_wrap=True)
