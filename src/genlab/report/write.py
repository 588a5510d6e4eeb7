"""From run folders to a report."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from genlab.config.keys import check_keys
from genlab.errors import UsageError, unknown
from genlab.files import write_bytes, write_text
from genlab.foreign import printable
from genlab.report.commands import report_command
from genlab.report.figures import drawn_figures
from genlab.report.find import named_folders, run_folders, sweep_folder
from genlab.report.page import render
from genlab.report.sweep import Sweep, read_sweep
from genlab.report.terminal import show

Publish = Callable[[Sweep, Path], None]  # does something with a report that has been written to a folder

FORMULA = ("=", "+", "-", "@", "\t", "\n")  # how a formula begins
FIGURES = ("score_against_*.png", "heat_*.png", "curves.png")


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
    publish = _publisher(cfg.to)
    if cfg.sweep:
        folder = sweep_folder(str(cfg.sweep), Path(cfg.paths.log_dir))
        return write_report(folder, out=Path(cfg.out) if cfg.out else None, quiet=False, publish=publish)
    folders = named_folders(runs)
    out = Path(cfg.out or Path(cfg.paths.log_dir) / "report" / f"{datetime.now():%Y-%m-%d_%H-%M-%S}")
    sweep = read_sweep(f"{len(folders)} runs", folders)
    return _write(sweep, out, report_command(None, folders), None, quiet=False, publish=publish)


def harmless(table: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before texts that a spreadsheet would run as a formula."""
    return table.map(lambda cell: f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell)


def _publisher(name: str | None) -> Publish | None:
    if name not in (None, "wandb"):
        raise UsageError(unknown("value of to", str(name), ["wandb"]))
    from genlab.report.to_wandb import to_wandb

    return to_wandb if name else None


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
    sweep = read_sweep(sweep_dir.absolute().name, run_folders(sweep_dir), sweep_dir)
    return _write(sweep, out or sweep_dir, report_command(sweep_dir, []), sweep_dir, quiet, publish)


def _write(sweep: Sweep, out: Path, again: str, home: Path | None, quiet: bool, publish: Publish | None = None) -> Path:
    figures = list(drawn_figures(sweep))
    page = out / "report.html"
    try:
        (out / "figures").mkdir(parents=True, exist_ok=True)
        for old in (path for names in FIGURES for path in (out / "figures").glob(names)):
            old.unlink()  # of a report on other keys
        for figure in figures:
            write_bytes(out / "figures" / f"{figure.name}.png", figure.light)
        write_text(out / "report.csv", harmless(sweep.table).to_csv(index=False))
        # Whoever has the page open sees the old one or the new one.
        write_text(page, printable(render(sweep, figures, again, home)))
    except OSError as error:
        raise UsageError(
            f"The report can't be written to {out}: {error}. Choose another folder by out=PATH."
        ) from error
    if not quiet:
        show(sweep, page)
    if publish:
        publish(sweep, out)
    return page
