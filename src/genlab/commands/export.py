"""A folder that needs no genlab: weights, networks in plain PyTorch and ONNX, a model card."""

from pathlib import Path

from omegaconf import DictConfig

from genlab.commands.load import load_run
from genlab.commands.machine import quieten
from genlab.config.build import check_config
from genlab.errors import UsageError
from genlab.export.folder import check_folder, replaced
from genlab.export.hub import check_push, push
from genlab.export.onnx import check_packages
from genlab.export.write import write_export
from genlab.outputs import writing
from genlab.protocols import Reconstructs, require


def export(cfg: DictConfig) -> Path:
    """Write the folder that `to` names, upload it where `push` says so, print its path and return it.

    Raises:
        UsageError: for what can't be done, before anything is written wherever that can be known.
    """
    quieten()
    check_config(cfg)
    folder = Path(cfg.to)
    check_folder(folder, cfg.overwrite)
    if cfg.onnx:
        check_packages()
    if cfg.push:
        check_push(cfg.push)
    run = load_run(cfg.run, cfg.weights, cfg.get("prior"), cfg.ema)
    if cfg.codes:
        require(run.model, Reconstructs, "codes=true", "leave it out")
    if run.model.density and not run.model.density.is_exported:
        raise UsageError(
            f"prior={run.model.density.name} draws the positions of a code in a loop, which a traced network has not: "
            "type prior=mixture, or leave it out."
        )
    with writing("to", folder), replaced(folder) as unfinished:
        write_export(run, unfinished, cfg.onnx, cfg.codes)
    print(folder)
    if cfg.push:
        print(push(folder, cfg.push, cfg.private))
    return folder
