"""Before the first run starts: can all of them be built, and what will the sweep cost?"""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genlab.errors import UsageError
from genlab.run.summary import read_outcome
from genlab.sweeps.plan import DryRun, SweepRun
from genlab.sweeps.process import ProcessServer

STATES_PER_WEIGHT = 4  # a checkpoint holds the weights, their average, and two moments of Adam


def preflight(server: ProcessServer, configs: Sequence[dict[str, Any]]) -> list[Any]:
    """Have a process of the server look at the machine and try configurations out.

    Returns:
        The number of GPUs, and then a DryRun of each configuration.
    """
    process, pipe = server.ask(_answer, list(configs))
    try:
        return [pipe.recv() for _ in range(1 + len(configs))]
    except EOFError:
        process.join()
        raise UsageError(
            f"The preflight has ended with exit code {process.exitcode}: see above, or leave it out by preflight=skip."
        ) from None
    finally:
        pipe.close()
        process.kill()  # which has nothing left to do, unless something has come between
        process.join()


def _answer(pipe: Any, configs: Sequence[dict[str, Any]]) -> None:
    """In the other process."""
    import logging

    import torch

    from genlab.commands.machine import quieten
    from genlab.sweeps.dry_run import dry_run

    quieten()
    logging.getLogger("genlab").setLevel(logging.ERROR)
    pipe.send(torch.cuda.device_count() or int(torch.backends.mps.is_available()))
    for config in configs:
        pipe.send(dry_run(config))


def estimate_cost(runs: Sequence[SweepRun], dry_runs: Sequence[DryRun], folder: Path, at_once: str) -> list[str]:
    """Say in lines what there is to do, with `dry_runs` of what has to run, and `at_once` how the machine is shared."""
    parts = [f"{n} {status}" for status, n in Counter(map(_status, runs)).items()]
    lines = [f"{len(runs)} cell(s) in {folder}: {', '.join(parts)}", at_once]
    if fine := [dry_run for dry_run in dry_runs if dry_run.error is None]:
        sizes = sorted({dry_run.n_parameters for dry_run in fine})
        lines.append("parameters: " + " to ".join(f"{size:,}" for size in dict.fromkeys((sizes[0], sizes[-1]))))
        lines.append(_disk(sum(dry_run.n_bytes for dry_run in fine), _n_checkpoints(runs), folder))
    if reasons := [dry_run.unscored for dry_run in dry_runs if dry_run.unscored]:
        lines.append(f"{len(reasons)} cell(s) will end without a score: {reasons[0]}")
    return lines


def _status(run: SweepRun) -> str:
    if run.state != "waiting":
        return {"completed": "complete"}.get(run.state, run.state)
    if any((run.folder / "checkpoints").glob("*.ckpt")):
        return "to go on"
    return "new" if read_outcome(run.folder).status == "new" else "to start again"


def _n_checkpoints(runs: Sequence[SweepRun]) -> int:
    """Files that a run leaves: last, previous, best, and those that it keeps."""
    keeps = [((run.config.get("callbacks") or {}).get("checkpoint") or {}).get("keep") for run in runs]
    return max((3 + keep for keep in keeps if isinstance(keep, int)), default=0)


def _disk(n_bytes: int, n_files: int, folder: Path) -> str:
    need, free = n_files * n_bytes * STATES_PER_WEIGHT, shutil.disk_usage(folder).free
    warning = "" if need < free else f", which is more than the {_size(free)} that are free"
    return (
        f"disk: about {_size(need)} of checkpoints ({n_files} files a cell, each {STATES_PER_WEIGHT} times the "
        f"weights: weights, average and Adam's moments){warning}"
    )


def _size(n_bytes: float) -> str:
    power = next((power for power in range(4) if n_bytes < 1000 ** (power + 1)), 4)
    return f"{n_bytes / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"
