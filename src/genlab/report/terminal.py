"""What the terminal shows of a sweep."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from genlab.report.sweep import Sweep
from genlab.report.text import number

MOST_ROWS = 10


def show(sweep: Sweep, path: Path) -> None:
    """Print the best cells of each group, those that went wrong, and where the report is."""
    console = Console()
    for group in sweep.groups:
        table = Table(title=Text(f"{group.title}, lower is better"), title_justify="left")
        for column in ("rank", "score", "cell", "status"):
            table.add_column(column, justify="right" if column in ("rank", "score") else "left", overflow="fold")
        for rank, cell in enumerate(group.cells[:MOST_ROWS], 1):
            score = number(cell.score.value) if cell.score else ""
            table.add_row(str(rank), score, Text(sweep.titles[cell.name]), Text(cell.status))
        console.print(table)
        if (more := len(group.cells) - MOST_ROWS) > 0:
            console.print(f"and {more} more")
    for cell in sweep.unranked[:MOST_ROWS]:
        reason = "; ".join(cell.damage) or cell.summary.get("error") or "no score yet"
        console.print(Text(f"{cell.status}: {sweep.titles[cell.name]}: {reason}"))
    counts = ", ".join(f"{n} {status}" for status, n in sweep.statuses.items())
    console.print(Text(f"{len(sweep.cells)} cells: {counts}"))
    console.print(Text(str(path)), soft_wrap=True)
