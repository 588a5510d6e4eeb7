"""Before the first cell starts: can all of them be built, and what will the sweep cost?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genlab.errors import UsageError, unknown
from genlab.sweeps.process import Server


def is_wanted(config: Mapping[str, Any]) -> bool:
    """Whether `preflight=run`, which not all entry scripts know.

    Raises:
        UsageError: if it is anything but `run` or `skip`.
    """
    choice = config.get("preflight", "skip")
    if choice not in ("run", "skip"):
        raise UsageError(unknown("value of preflight", str(choice), ["run", "skip"]))
    return choice == "run"


def preflight(server: Server, configs: Sequence[dict[str, Any]]) -> Iterator[Any]:
    """Have a process of the server look at the machine and try configurations out.

    Yields:
        The number of GPUs, and then a DryRun of each configuration.
    """
    process, pipe = server.ask(_answer, list(configs))
    try:
        for _ in range(1 + len(configs)):
            yield pipe.recv()
        process.join()
    except EOFError:
        process.join()
        raise UsageError(
            f"The preflight has ended with exit code {process.exitcode}: see above, or leave it out by preflight=skip."
        ) from None
    finally:
        pipe.close()
        process.kill()  # if something has come between


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
