"""`metrics.csv`: every logged number."""

import csv
import logging
import os
import shutil
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from genlab import files
from genlab.files import atomic_write, warn_on_failure

log = logging.getLogger(__name__)


class CSVLogger(Logger):
    """Appends each set of metrics as a row to `metrics.csv` in a folder, as soon as it is logged.

    A new metric adds a column to the whole file. Rows that the disk does not take wait in memory, and are written with
    the next one that it takes; of a row that was written in part nothing stays. (Lightning's own logger keeps rows in
    memory for up to 100 steps, and deletes the file that a resumed run had written.)
    """

    name, version = "csv", ""  # Lightning wants them

    def __init__(self, dirpath: str) -> None:
        super().__init__()
        self.path = Path(dirpath) / "metrics.csv"
        self._columns: list[str] = []
        self._waiting: list[dict[str, Any]] = []
        self.n_rows = 0  # that this run has logged so far, also before it was resumed

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
        self._write_waiting()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self._waiting:
            self._write_waiting()

    def flush(self) -> int:
        """Have the rows on the disk before a checkpoint that relies on them; returns their number."""
        with suppress(OSError):  # there is no file yet, or the disk fails
            files.flush(self.path)
        return self.n_rows

    @rank_zero_only
    def keep(self, n_rows: int | None, n_steps: int = 0) -> None:
        """Drop the rows behind the first `n_rows`, with the columns that they have added: a resumed run writes them
        again. Where the number is not known, or rows before are damaged, drop those of step `n_steps` and later.
        """
        if not self.path.is_file():
            return
        found, columns = self._read()
        is_damaged = not columns or None in found[:n_rows]
        rows = [row for row in found if row is not None]
        if is_damaged or n_rows is None:
            rows = [row for row in rows if int(row["step"] or 0) < n_steps]
        else:
            rows = rows[:n_rows]
        if is_damaged:
            copy = self.path.with_name(f"{self.path.name}.damaged")
            with warn_on_failure(copy.name):
                shutil.copyfile(self.path, copy)
            log.warning("%s is damaged: what can't be read is left out, and stays in %s.", self.path, copy.name)
        columns = [key for key in columns if any(row[key] for row in rows)]
        self.n_rows = len(rows)
        if rows:
            self._write(columns, [{key: row[key] for key in columns} for row in rows])
        else:
            self.path.unlink()

    def _read(self) -> tuple[list[dict[str, str] | None], list[str]]:
        """The rows of the file, None for one that can't be read, and its columns. Nothing is ever quoted in it."""
        if not self.path.is_file():
            return [], []
        head, *lines = self.path.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")
        columns = head.split(",")
        if columns[0] != "step" or len(set(columns)) < len(columns) or not head.isprintable() or "\ufffd" in head:
            return [None for _ in lines], []
        return [_row(columns, line.split(",")) for line in lines], columns

    def _write_waiting(self) -> None:
        with warn_on_failure(self.path.name):
            if not self._columns and self.path.is_file():
                self._columns = self._read()[1]
            new = dict.fromkeys(key for row in self._waiting for key in row if key not in self._columns)
            if new or not self.path.is_file():
                self._write([*self._columns, *new], [*filter(None, self._read()[0]), *self._waiting])
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
        with atomic_write(self.path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        self._columns = columns


def _row(columns: Sequence[str], values: Sequence[str]) -> dict[str, str] | None:
    """A row, if it has a number, or nothing, in each column."""
    try:
        int(values[0] or 0)
        for value in values:
            float(value or 0)
        return dict(zip(columns, values, strict=True))
    except ValueError:
        return None
