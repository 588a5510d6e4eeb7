"""`metrics.csv`: every logged number."""

import csv
import os
from argparse import Namespace
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from time import monotonic
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from genlab.faults import replacing, survived

RETRY = 1.0  # seconds between attempts while the file can't be written


class CSVLogger(Logger):
    """Appends each set of metrics as a row to `metrics.csv`, as soon as it is logged.

    A new metric adds a column to the whole file. Rows that the disk does not take wait in memory, and are written with
    the next one that it takes; of a row that was written in part nothing stays. (Lightning's own logger keeps rows in
    memory for up to 100 steps, writes a `hparams.yaml` beside them, and deletes the file that a resumed run had
    written.)

    Args:
        dirpath: folder of the file.
    """

    def __init__(self, dirpath: str) -> None:
        super().__init__()
        self.path = Path(dirpath) / "metrics.csv"
        self._columns: list[str] = []
        self._waiting: list[dict[str, Any]] = []
        self._attempted = float("-inf")  # when a row was last refused
        self.n_rows = 0  # that this run has logged so far, also before it was resumed

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
        self._waiting.append(row)
        self.n_rows += 1
        if len(self._waiting) == 1 or monotonic() - self._attempted > RETRY:
            self._write_waiting()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the rows that wait."""
        if self._waiting:
            self._write_waiting()

    @rank_zero_only
    def keep(self, n_rows: int | None, n_steps: int = 0) -> None:
        """Drop the rows behind the first `n_rows`, with the columns that they have added: a resumed run writes them
        again. Where the number is not known, drop those of step `n_steps` and later.
        """
        if not self.path.is_file():
            return
        rows = self._read()[0]
        rows = rows[:n_rows] if n_rows is not None else [row for row in rows if int(row["step"]) < n_steps]
        columns = [key for key in (rows[0] if rows else {}) if any(row[key] for row in rows)]
        self.n_rows = len(rows)
        if rows:
            self._write(columns, [{key: row[key] for key in columns} for row in rows])
        else:
            self.path.unlink()

    def _read(self) -> tuple[list[dict[str, str]], Sequence[str]]:
        """The rows of the file and its columns; none if it is not there."""
        if not self.path.is_file():
            return [], []
        with self.path.open(newline="") as file:
            reader = csv.DictReader(file)
            return list(reader), reader.fieldnames or []

    def _write_waiting(self) -> None:
        self._attempted = monotonic()
        with survived(self.path.name):
            if not self._columns and self.path.is_file():
                self._columns = list(self._read()[1])
            new = dict.fromkeys(key for row in self._waiting for key in row if key not in self._columns)
            if new or not self.path.is_file():
                self._write([*self._columns, *new], [*self._read()[0], *self._waiting])
            else:
                self._append()
            self._waiting = []

    def _append(self) -> None:
        text = StringIO(newline="")
        csv.DictWriter(text, self._columns).writerows(self._waiting)
        size = self.path.stat().st_size
        try:
            with self.path.open("ab") as file:
                file.write(text.getvalue().encode())
        except OSError:
            os.truncate(self.path, size)
            raise

    def _write(self, columns: list[str], rows: Sequence[dict[str, Any]]) -> None:
        """Write the whole file."""
        with replacing(self.path) as unfinished, unfinished.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        self._columns = columns
