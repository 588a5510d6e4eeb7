"""Evaluation of trained models, and of folders of images, by one protocol."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lightning.fabric import Fabric
from omegaconf import DictConfig
from torch import Generator, Tensor

from genlab.commands.load import find_checkpoint, load_run
from genlab.commands.machine import check_devices, check_machine, quieten
from genlab.config.build import build, check_config
from genlab.data.files import find_files
from genlab.data.manifest import left_out_files
from genlab.distributed import leave_group_at_exit
from genlab.errors import UsageError, unknown
from genlab.evaluation import Evaluation, Measure, Subject, apply_measures
from genlab.evaluation.pictures import draw
from genlab.evaluation.subject import folder_samples
from genlab.evaluation.tables import show, write_csv
from genlab.files import write_json
from genlab.images import to_uint8
from genlab.names import file_name
from genlab.outputs import writing
from genlab.sampling import sampler
from genlab.trainer.watch import known_to_children

log = logging.getLogger(__name__)


def evaluate(cfg: DictConfig) -> list[Evaluation]:
    """Measure runs and folders by one protocol, draw and print what was found, and rank them if there are several.

    All is computed in float32. Values, tables and pictures are left in the output folder.

    Raises:
        UsageError: for what can't be evaluated, and, once all is written, if protocols differ so that nothing can be
            ranked.
    """
    quieten()
    check_config(cfg)
    check_machine(cfg.trainer)
    check_devices(cfg.trainer)
    runs = _checked_runs(cfg)
    fabric = Fabric(
        accelerator=cfg.trainer.accelerator,
        devices=cfg.trainer.devices,
        num_nodes=cfg.trainer.get("num_nodes", 1),
        strategy="auto" if cfg.trainer.strategy == "auto" else "ddp",
    )
    with known_to_children(Path(cfg.paths.run_dir)):
        fabric.launch()
    leave_group_at_exit()
    fabric.seed_everything(cfg.seed, verbose=False)
    measures = _measures(cfg.metrics.measures)
    out = Path(cfg.paths.run_dir)
    evaluations = []
    for number, subject in enumerate(_subjects(cfg, runs, fabric, any(m.needs_features for m in measures.values()))):
        evaluations.append(apply_measures(subject, measures))
        several = len(runs) + bool(cfg.images) > 1
        with writing("hydra.run.dir", out):
            draw(subject, out / "evaluation" / (file_name(f"{number}_{Path(subject.name).stem}") if several else ""))
    if fabric.is_global_zero:
        with writing("hydra.run.dir", out):
            write_json(out / "evaluation.json", [e.as_dict() for e in evaluations])
            write_csv(evaluations, out / "evaluation.csv")
        show(evaluations)
        print(out)
    return evaluations


def _measures(nodes: DictConfig) -> dict[str, Measure]:
    """The measures of a configuration, by their names."""
    measures = {str(name): build(node) for name, node in nodes.items()}
    for name, measure in measures.items():
        if not isinstance(measure, Measure):
            raise UsageError(
                f"metrics.measures.{name}._target_={nodes[name]['_target_']} is no measure: it takes needs_features, "
                "true or false, and __call__(subject)."
            )
    return measures


def _checked_runs(cfg: DictConfig) -> list[str]:
    """The runs that are asked for, after a look at the keys that must fit together."""
    runs = [cfg.run] if isinstance(cfg.run, str) else [str(run) for run in cfg.run or []]
    if not runs and not cfg.images:
        raise UsageError(
            "There is nothing to evaluate: type run=PATH (a run folder, a checkpoint file, or several with a comma "
            "between them), or images=FOLDER data=NAME."
        )
    if runs and cfg.get("data"):
        raise UsageError("data= goes with images=FOLDER alone: a run is evaluated on the data that it was trained on.")
    if cfg.images and cfg.get("prior"):
        raise UsageError("prior= goes with run=PATH alone: images in a folder have no codes.")
    if cfg.images and not runs and not cfg.get("data"):
        raise UsageError(f"images={cfg.images} is held against a data set: type data=NAME too (--help lists them).")
    for key, more in {"split": [], "reference": ["train+val", "official"]}.items():
        if cfg.metrics[key] not in (splits := ["train", "val", "test", *more]):
            raise UsageError(unknown(f"split for metrics.{key}", str(cfg.metrics[key]), splits))
    if twice := [run for run in runs if runs.count(run) > 1]:
        raise UsageError(f"run={twice[0]} is named more than once: name each run once.")
    for run in runs:  # all of them, before the first is measured
        find_checkpoint(Path(run))
    if cfg.images and (left_out := left_out_files(find_files(Path(cfg.images), "images").left_out)):
        log.warning("images=%s: %s", cfg.images, left_out)
    return runs


def _subjects(cfg: DictConfig, runs: list[str], fabric: Fabric, keep: bool) -> Iterator[Subject]:
    """The runs, one after the other, and the folder."""
    encoder, device = build(cfg.features).to(fabric.device), fabric.device
    cache_dir = Path(cfg.cache_dir) if cfg.cache_dir else None
    n = cfg.metrics.n_samples
    datamodule: Any = build(cfg.data) if cfg.get("data") else None

    def subject(name: str, samples: Callable[[slice], Tensor], n: int, model: Any = None, y: Any = None) -> Subject:
        official = cfg.metrics.reference == "official"  # all images of the official training set
        reference = datamodule.official_train if official else str(cfg.metrics.reference)
        how = (cfg.metrics.split, reference, cfg.metrics.batch_size, cfg.seed, keep)
        return Subject(name, samples, n, datamodule, encoder, device, cache_dir, model, *how, y)

    for path in runs:
        run = load_run(path, cfg.weights, cfg.get("prior"), cfg.ema)
        model: Any = run.model.to(device)
        datamodule = run.datamodule
        samples = sampler(model, datamodule, n, Generator().manual_seed(cfg.seed))
        shown = lambda rows, samples=samples: to_uint8(samples(rows))  # noqa: E731
        yield subject(path, shown, n, model, samples.labels)
    if cfg.images:
        yield subject(cfg.images, *folder_samples(Path(cfg.images), datamodule.image_shape, n))
