"""What the terminal shows of a sweep."""

from pathlib import Path

from rich.table import Table

from genlab.console import console
from genlab.foreign import printable
from genlab.report.sweep import Sweep
from genlab.report.text import number

MOST_ROWS = 10


def show(sweep: Sweep, path: Path) -> None:
    """Print the best cells of each group, those that went wrong, and where the report is."""
    out = console()
    for group in sweep.groups:
        table = Table(title=f"{group.title}, lower is better", title_justify="left")
        for column in ("rank", "score", "cell", "status"):
            is_number = column in ("rank", "score")
            table.add_column(
                column, justify="right" if is_number else "left", no_wrap=column != "cell", overflow="fold"
            )
        for rank, cell in enumerate(group.cells[:MOST_ROWS], 1):
            score = number(cell.score.value) if cell.score else ""
            table.add_row(str(rank), score, sweep.titles[cell.name], cell.status)
        out.print(table)
        if (more := len(group.cells) - MOST_ROWS) > 0:
            out.print(f"and {more} more")
    for cell in sweep.unranked[:MOST_ROWS]:
        reason = "; ".join(cell.damage) or cell.summary.get("error") or "no score yet"
        out.print(f"{cell.status}: {sweep.titles[cell.name]}: {reason}")
    counts = ", ".join(f"{n} {status}" for status, n in sweep.statuses.items())
    out.print(f"{len(sweep.cells)} cells: {counts}")
    out.print(printable(str(path)), soft_wrap=True)
