"""From run folders to a report."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import pandas as pd
from omegaconf import DictConfig

from genlab.command_line import typed
from genlab.config.keys import check_keys
from genlab.config.values import convert
from genlab.console import console
from genlab.errors import UsageError
from genlab.files import write_bytes, write_text
from genlab.foreign import printable
from genlab.report.figures import draw_figures
from genlab.report.find import named_folders, run_folders, sweep_folder
from genlab.report.page import render
from genlab.report.settings import ONE_SEED, SHARED, as_markdown, as_text, compare_settings, settings_of_groups
from genlab.report.table import Table, read_table
from genlab.report.text import with_half
from genlab.report.wandb import to_wandb
from genlab.stamp import NORMAL

FORMULA = ("=", "+", "-", "@", "\t", "\n")  # how a formula begins
FIGURES = ("score_against_*.png", "heat_*.png", "curves.png")
MOST_ROWS = 10  # of a group on the terminal


def report(cfg: DictConfig) -> Path:
    """Write and announce the report that a configuration asks for; return the page."""
    check_keys(cfg)
    runs = [cfg.runs] if isinstance(cfg.runs, str) else [str(run) for run in cfg.runs or []]
    if bool(runs) == bool(cfg.sweep):
        raise UsageError("Type sweep=PATH (a folder of run folders), or runs=A,B,C (run folders): one of the two.")
    convert("to", cfg.to, Literal["wandb"] | None)
    log_dir, out = Path(cfg.paths.log_dir), Path(cfg.out) if cfg.out else None

    def publish(table: Table, folder: Path) -> None:
        print_ranking(table, folder / "report.html")
        if cfg.to:
            to_wandb(table, folder)

    if cfg.sweep:
        return write_report(sweep_folder(str(cfg.sweep), log_dir), out, publish)
    out = out or log_dir / "report" / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    return write_report(None, out, publish, named_folders(runs))


def write_report(
    sweep: Path | None,
    out: Path | None = None,
    publish: Callable[[Table, Path], None] | None = None,
    runs: Sequence[Path] = (),
) -> Path:
    """Write `report.html`, `report.csv` and `figures/`, and `settings.csv` and `.md` where there are seeds.

    Args:
        sweep: folder with run folders in it, at any depth; None for `runs` of any origin.
        out: folder for the report; the sweep's own if left out.
        publish: what to do with the table and this folder, once all is written.
        runs: run folders.

    Returns:
        The page.

    Raises:
        UsageError: if there is no run in the folder, or if nothing can be written.
    """
    folders = run_folders(sweep) if sweep else list(runs)
    table = read_table(sweep.absolute().name if sweep else f"{len(folders)} runs", folders, sweep)
    again = f"python src/report.py {typed('sweep', sweep) if sweep else typed('runs', folders)}"
    out = out or sweep or Path()
    figures, page = draw_figures(table), out / "report.html"
    try:
        for old in (path for names in FIGURES for path in (out / "figures").glob(names)):
            old.unlink()  # of a report on other keys
        for figure in figures:
            write_bytes(out / "figures" / f"{figure.name}.png", figure.png)
        write_text(out / "report.csv", _without_formulas(table.facts).to_csv(index=False))
        if (settings := settings_of_groups(table)) is not None:
            write_text(out / "settings.csv", _without_formulas(settings).to_csv(index=False))
            write_text(out / "settings.md", printable(as_markdown(settings)))
        write_text(page, render(table, figures, again, sweep))
    except OSError as error:
        raise UsageError(
            f"The report can't be written to {out}: {error}. Choose another folder by out=PATH."
        ) from error
    if publish:
        publish(table, out)
    return page


def _without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before texts that a spreadsheet would run as a formula."""
    objects = frame.astype(object)  # whole numbers stay whole
    return objects.map(lambda value: f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value)


def print_ranking(table: Table, page: Path) -> None:
    """Print the best runs of each group, those that went wrong, and where the report is."""
    out = console()
    for title, _, rows in table.groups:
        settings = compare_settings(table, rows)
        if settings is not None:
            ranking = as_text(settings)
        else:
            ranking = rows[["rank", "score", "title", "status"]].rename(columns={"title": "run"})
            errors = NORMAL * rows["error"]
            ranking["score"] = [with_half(score, half) for score, half in zip(rows["score"], errors, strict=True)]
        out.print(f"{title}, lower is better\n{ranking[:MOST_ROWS].to_string(index=False)}", soft_wrap=True)
        if (more := len(ranking) - MOST_ROWS) > 0:
            out.print(f"and {more} more")
        if len(ranking) > 1:
            out.print(ONE_SEED if settings is None else SHARED, soft_wrap=True)
    others = table.unranked["title"][:MOST_ROWS]
    for run, title in zip(table.runs[len(table.runs) - len(table.unranked) :], others, strict=False):
        out.print(f"{run.status}: {title}: {'; '.join(run.damage) or run.summary.get('error') or 'no score yet'}")
    counts = ", ".join(f"{n} {status}" for status, n in table.statuses.items())
    out.print(f"{len(table.runs)} runs: {counts}")
    out.print(printable(str(page)), soft_wrap=True)
