"""Searches without training: a launcher that writes the summaries of trials by a formula."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
from hydra import compose, initialize_config_dir
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial
from settings import CONFIGS

from genlab.search.search import Search
from genlab.search.settings import Settings
from genlab.search.study import FILE, NAME, open_journal

X = "model.optimizer.lr=interval(1,9)"
Formula = Callable[[dict[str, Any]], dict[str, Any]]


class Kill(BaseException):
    """Ends a search as a signal does."""


class Loader:
    """Names runs without composing their configurations, which takes its time."""

    def load_sweep_config(self, config: Any, overrides: list[str]) -> Any:
        """Only what a search asks for."""
        return OmegaConf.create({"hydra": {"sweep": {"subdir": folder_of(overrides)}}})


def folder_of(overrides: Sequence[str]) -> str:
    """The folder of a run."""
    return "_".join(text for text in overrides if not text.startswith("+callbacks.prune"))


class Formulas:
    """A launcher whose runs end at once, with the summary that a formula makes of their overrides.

    Args:
        formula: from what was typed, by key, to a summary; it may raise.
    """

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        self.launched: list[list[dict[str, Any]]] = []
        self.search: Any = None

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Write the summaries."""
        runs = [dict(text.lstrip("+").split("=", 1) for text in o if "=" in text) for o in job_overrides]
        self.launched.append(runs)
        return [self._run(list(o), values) for o, values in zip(job_overrides, runs, strict=True)]

    def _run(self, overrides: list[str], values: dict[str, Any]) -> JobReturn:
        folder = self.search.folder / folder_of(overrides)
        folder.mkdir(parents=True, exist_ok=True)
        job = JobReturn(overrides=overrides, status=JobStatus.COMPLETED)
        try:
            summary = {"status": "completed"} | self.formula(values)
        except Exception as error:
            job.status, job.return_value = JobStatus.FAILED, error
            summary = {"status": "failed", "error": str(error)}
        (folder / "summary.json").write_text(json.dumps(summary))
        return job


class Slots(Formulas):
    """Such a launcher with slots, and a clock: trials take the `duration` that their summaries tell."""

    def __init__(self, formula: Formula) -> None:
        super().__init__(formula)
        self.spans: list[tuple[float, float]] = []  # of all trials, in the order in which they end

    def serve(self, ask: Callable[[], Any], tell: Callable[[int, JobReturn], None], n_jobs: int, n_runs: int) -> None:
        """Ask for as many trials as there is room for, and let the clock go on to the next end."""
        now, at_work = 0.0, list[Any]()
        while True:
            while len(at_work) < n_jobs and (asked := ask()):
                values = dict(text.lstrip("+").split("=", 1) for text in asked[1] if "=" in text)
                at_work.append((now + self.formula(values).get("duration", 1), now, asked, values))
            if not at_work:
                return
            at_work.sort(key=lambda work: work[0])
            now, start, (_, overrides, number), values = at_work.pop(0)
            self.spans.append((start, now))
            tell(number, self._run(list(overrides), values))


def composed(folder: Path, *overrides: str) -> Any:
    """Hydra's configuration for a search in a folder."""
    given = ["hydra/sweeper=optuna", f"hydra.sweep.dir={folder}", *overrides]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("train", given, return_hydra_config=True)


def search(folder: Path, formula: Formula, *typed: str, kind: type[Formulas] = Formulas) -> Any:
    """Search as the command line would, with `typed` its overrides, and a launcher of some kind."""
    launcher, of_hydra = kind(formula), [text for text in typed if "hydra" in text]
    arguments = [text for text in typed if "hydra" not in text]
    config = composed(folder, *of_hydra)
    settings = {k: v for k, v in config.hydra.sweeper.items() if not str(k).startswith("_")}
    launcher.search = Search(Settings.checked(**settings), arguments, config, Loader(), launcher)  # type: ignore
    launcher.search.run()
    return launcher


def trials(folder: Path) -> list[FrozenTrial]:
    """What the study knows."""
    return optuna.load_study(study_name=NAME, storage=open_journal(folder / FILE)).trials


def best(folder: Path) -> Any:
    """What the search has left behind."""
    return OmegaConf.to_container(OmegaConf.load(folder / "best.yaml"))


def x_of(values: dict[str, Any]) -> float:
    """The value that is searched by `X`."""
    return float(OmegaConf.create({"x": values["model.optimizer.lr"]}).x)


def parabola(values: dict[str, Any]) -> dict[str, Any]:
    """Best at 5."""
    return {"score": {"name": "val/x", "value": (x_of(values) - 5) ** 2}}
