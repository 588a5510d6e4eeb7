"""The lecture's claims: their trainings, their measurements, and the page."""

import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import product
from pathlib import Path
from typing import Any

import torch
from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

import genlab
from genlab.command_line import quoted
from genlab.commands.load import load_run
from genlab.commands.machine import quieten
from genlab.config.build import build, check_config
from genlab.console import console
from genlab.errors import UsageError, unknown
from genlab.foreign import printable
from genlab.lecture import Claim, Runs
from genlab.lecture.page import Section, write_page
from genlab.outputs import writing
from genlab.report import style
from genlab.run.identity import fingerprint
from genlab.run.summary import read_outcome

SWEEP = "lecture"  # the name of the sweep of all trainings


def measure_claims(cfg: DictConfig) -> Path:
    """Train what the claims need, measure them, and write and announce the page; return it.

    Claims that need no training come first. The page is written after each, with those that are measured by then, in
    the order of the configuration.

    Raises:
        UsageError: for an unknown claim, before anything is trained, or if a training fails.
    """
    quieten()
    check_config(cfg)
    claims = _chosen(cfg)
    out = Path(cfg.out) if cfg.out else Path(cfg.paths.log_dir) / "lecture"
    page, folders, sections = out / "lecture.html", dict[frozenset[str], Path](), dict[str, Section]()
    runs = Runs(folders, load_run, build(cfg.features), Path(cfg.paths.data_dir) / "statistics")
    with writing("out", out):
        out.mkdir(parents=True, exist_ok=True)  # before anything takes long
    for name in sorted(claims, key=lambda name: bool(claims[name].sweeps)):
        for sweep in claims[name].sweeps:
            folders |= train_runs(sweep, cfg.paths)
        sections[name] = _measure(name, claims[name], runs)
        with writing("out", out):
            write_page(out, [sections[name] for name in claims if name in sections])
    console().print(printable(str(page)), soft_wrap=True)
    return page


def _chosen(cfg: DictConfig) -> dict[str, Claim]:
    """The claims that are asked for, built, in the order of the configuration."""
    names = [cfg.only] if isinstance(cfg.only, str) else [str(name) for name in cfg.only or cfg.claims]
    for name in names:
        if name not in cfg.claims:
            raise UsageError(unknown("claim of the lecture", name, list(cfg.claims)))
    claims = {str(name): build(node) for name, node in cfg.claims.items() if name in names}
    for name, claim in claims.items():
        if not isinstance(claim, Claim):
            raise UsageError(f"claims.{name}._target_={cfg.claims[name]['_target_']} is no claim: see docs/lecture.md.")
    return claims


def _measure(name: str, claim: Claim, runs: Runs) -> Section:
    with style.house_style(), nullcontext() if claim.sweeps else _one_thread():
        evidence = claim.measure(runs)
        section = Section(name, claim, evidence, style.png(evidence.figure))
    console().print(f"{evidence.verdict + ':':<10} {claim.title}", soft_wrap=True)
    for text, holds in evidence.statements:
        if not holds:
            console().print(f"           does not hold: {text}", soft_wrap=True)
    return section


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one thread: tensors of a few numbers are not worth the wait for a second one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_runs(sweep: str, paths: DictConfig) -> dict[frozenset[str], Path]:
    """Train the runs of a sweep, but for those that are complete.

    Args:
        sweep: what is typed after `train.py -m`.
        paths: data and log folder.

    Returns:
        The folder of each run, by the set of what is typed for it.
    """
    typed = shlex.split(sweep)
    wanted = {frozenset(run): fingerprint(compose("train", [*run])) for run in expand(typed)}
    folder = Path(paths.log_dir) / "train" / "sweeps" / SWEEP
    if missing(wanted, folder):
        script = Path(genlab.__file__).parents[1] / "train.py"
        where = [f"paths.{key}={quoted(paths[key])}" for key in ("data_dir", "log_dir")]
        command = [sys.executable, str(script), "-m", *typed, f"sweep={SWEEP}", "preflight=skip", *where]
        with subprocess.Popen(command) as process:
            process.wait()
    if left := missing(wanted, folder):
        raise UsageError(
            f"{len(left)} of {len(wanted)} trainings of the lecture have not come to their end ({folder}, see above): "
            "the same command goes on with them."
        )
    found = complete(folder)
    return {run: found[own] for run, own in wanted.items()}


def expand(typed: Sequence[str]) -> list[tuple[str, ...]]:
    """What is typed for each run of a grid."""
    overrides = OverridesParser.create().parse_overrides(list(typed))
    values: list[list[str]] = [
        [f"{o.get_key_element()}={value}" for value in o.sweep_string_iterator()] if o.is_sweep_override() else [text]
        for o, text in zip(overrides, typed, strict=True)
    ]
    return list(product(*values))


def complete(folder: Path) -> dict[str, Path]:
    """The folders of complete runs of a sweep, by the fingerprints of their configurations."""
    outcomes = {path.parent: read_outcome(path.parent) for path in sorted(folder.glob("*/summary.json"))}
    return {str(o.summary.get("fingerprint")): path for path, o in outcomes.items() if o.is_final}


def missing(wanted: Mapping[Any, str], folder: Path) -> list[str]:
    """The fingerprints of runs that are not complete."""
    return sorted(set(wanted.values()) - complete(folder).keys())
