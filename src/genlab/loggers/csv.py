"""`metrics.csv`: every logged number."""

import csv
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only


class CSVLogger(Logger):
    """Appends each set of metrics as a row to `metrics.csv`, as soon as it is logged.

    A new metric adds a column to the whole file. (Lightning's own logger keeps rows in memory for up to 100 steps,
    writes a `hparams.yaml` beside them, and deletes the file that a resumed run had written.)

    Args:
        dirpath: folder of the file.
    """

    def __init__(self, dirpath: str) -> None:
        super().__init__()
        self.path = Path(dirpath) / "metrics.csv"
        self._columns: list[str] = []
        self.n_rows = 0  # that this run has written so far, also before it was resumed

    @property
    def name(self) -> str:
        """Lightning wants one."""
        return "csv"

    @property
    def version(self) -> str:
        """Lightning wants one."""
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing to do: the run folder's `config.yaml` has them."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append a row: the step and the metrics by name."""
        row = {"step": step, **{key: value for key, value in metrics.items() if key != "epoch"}}
        if "epoch" in metrics:
            row["epoch"] = int(metrics["epoch"])
        self._add_columns(list(row))
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(row)
        self.n_rows += 1

    @rank_zero_only
    def keep(self, n_rows: int | None, n_steps: int = 0) -> None:
        """Drop the rows behind the first `n_rows`, with the columns that they have added: a resumed run writes them
        again. Where the number is not known, drop those of step `n_steps` and later.
        """
        if not self.path.is_file():
            return
        with self.path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        rows = rows[:n_rows] if n_rows is not None else [row for row in rows if int(row["step"]) < n_steps]
        self._columns = [key for key in (rows[0] if rows else {}) if any(row[key] for row in rows)]
        self.n_rows = len(rows)
        if rows:
            self._write([{key: row[key] for key in self._columns} for row in rows])
        else:
            self.path.unlink()

    def _add_columns(self, keys: list[str]) -> None:
        """Write the header, or the whole file again under a wider one."""
        rows: list[dict[str, str]] = []
        if (not self._columns and self.path.is_file()) or set(keys) - set(self._columns):
            if self.path.is_file():
                with self.path.open(newline="") as file:
                    reader = csv.DictReader(file)
                    rows, self._columns = list(reader), list(reader.fieldnames or [])
            self._columns += [key for key in keys if key not in self._columns]
            self._write(rows)

    def _write(self, rows: list[dict[str, str]]) -> None:
        unfinished = self.path.with_suffix(".tmp")
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(rows)
        unfinished.replace(self.path)
