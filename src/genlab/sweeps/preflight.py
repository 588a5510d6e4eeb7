"""Before the first run starts: can all of them be built, and what will the sweep cost?"""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.filesize import decimal

from genlab.errors import UsageError
from genlab.sweeps.plan import DryRun, SweepRun

STATES_PER_WEIGHT = 4  # a checkpoint holds the weights, their average, and two moments of Adam


def preflight(context: Any, configs: Sequence[dict[str, Any]]) -> tuple[int, list[DryRun]]:
    """Return the number of GPUs, and what a dry run of each configuration has found.

    That takes another process, as the launcher imports no torch.
    """
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, list(configs)))
    process.start()
    sender.close()
    try:
        answer: tuple[int, list[DryRun]] = receiver.recv()
        return answer
    except EOFError:
        process.join()
        raise UsageError(
            f"The preflight has ended with exit code {process.exitcode}: see above, or leave it out by preflight=skip."
        ) from None
    finally:
        process.kill()
        process.join()


def _answer(pipe: Any, configs: Sequence[dict[str, Any]]) -> None:
    """In the other process."""
    import logging

    import torch

    from genlab.commands.machine import quieten
    from genlab.sweeps.dry_run import dry_run

    quieten()
    logging.getLogger("genlab").setLevel(logging.ERROR)
    n_gpus = torch.cuda.device_count() or int(torch.backends.mps.is_available())
    pipe.send((n_gpus, [dry_run(config) for config in configs]))


def list_errors(runs: Sequence[SweepRun], dry_runs: Sequence[DryRun], sweeper: Any) -> list[str]:
    """Say of each run that can't be built why, and of each without a score in a search that goes by it."""
    by_score = "objectives" in sweeper and "score" in (sweeper["objectives"] or ("score",))
    lines = []
    for run, found in zip(runs, dry_runs, strict=False):
        unscored = f"the search goes by the score, and there will be none: {found.unscored}"
        if error := unscored if by_score and found.unscored else found.error:
            lines.append(f"  {run.label}: {error}")
    return lines


def estimate_cost(runs: Sequence[SweepRun], dry_runs: Sequence[DryRun], folder: Path) -> list[str]:
    """Say in lines what there is to do, with `dry_runs` of what has to run."""
    counts = Counter(map(_progress, runs))
    lines = [f"{len(runs)} run(s) in {folder}: {', '.join(f'{n} {progress}' for progress, n in counts.items())}"]
    if dry_runs:
        sizes = sorted({dry_run.n_parameters for dry_run in dry_runs})
        lines.append("parameters: " + " to ".join(f"{size:,}" for size in dict.fromkeys((sizes[0], sizes[-1]))))
        keeps = [((run.config.get("callbacks") or {}).get("checkpoint") or {}).get("keep") for run in runs]
        n_files = max((3 + keep for keep in keeps if isinstance(keep, int)), default=0)  # last, previous, best
        need = n_files * STATES_PER_WEIGHT * sum(dry_run.n_bytes for dry_run in dry_runs)
        free = shutil.disk_usage(folder).free
        warning = "" if need < free else f", which is more than the {decimal(free)} that are free"
        lines.append(
            f"disk: about {decimal(need)} of checkpoints ({n_files} files a run, each {STATES_PER_WEIGHT} times the "
            f"weights: weights, average and Adam's moments){warning}"
        )
    if reasons := [dry_run.unscored for dry_run in dry_runs if dry_run.unscored]:
        lines.append(f"{len(reasons)} run(s) will end without a score: {reasons[0]}")
    return lines


def _progress(run: SweepRun) -> str:
    if run.state != "waiting":
        return "complete" if run.state == "completed" else run.state
    return "to go on" if any((run.folder / "checkpoints").glob("*.ckpt")) else "new"
