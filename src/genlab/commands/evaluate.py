"""Evaluation of trained models, and of folders of images, by one protocol."""

import logging
from pathlib import Path

from lightning.fabric import Fabric
from omegaconf import DictConfig

from genlab.commands.explain import explain, read_scores
from genlab.commands.load import find_checkpoint
from genlab.commands.machine import check_devices, check_machine, quieten
from genlab.commands.stored_score import recipe_of
from genlab.commands.subjects import subjects
from genlab.config.build import build, check_config
from genlab.data.files import find_files
from genlab.data.manifest import left_out_files
from genlab.distributed import leave_group_at_exit
from genlab.errors import UsageError, unknown
from genlab.evaluation import Evaluation, Measure, apply_measures
from genlab.evaluation.pictures import draw
from genlab.evaluation.tables import show, write_csv
from genlab.files import write_json
from genlab.names import file_name
from genlab.outputs import writing
from genlab.trainer.watch import known_to_children

log = logging.getLogger(__name__)


def evaluate(cfg: DictConfig) -> list[Evaluation]:
    """Measure runs and folders by one protocol, draw and print what was found, and rank them if there are several.

    All is computed in float32. Values, tables and pictures are left in the output folder. With `explain` two scores are
    explained instead, and nothing is returned.

    Raises:
        UsageError: for what can't be evaluated, and, once all is written, if protocols differ so that nothing can be
            ranked.
    """
    quieten()
    check_config(cfg)
    check_machine(cfg.trainer)
    check_devices(cfg.trainer)
    if cfg.explain:
        a, b = read_scores(cfg)
        explain(a, b, cfg, _launched(cfg).device)
        return []
    runs = _checked_runs(cfg)
    fabric = _launched(cfg)
    measures = _measures(cfg.metrics.measures)
    out = Path(cfg.paths.run_dir)
    evaluations = []
    keep = any(measure.needs_features for measure in measures.values())
    for number, subject in enumerate(subjects(cfg, runs, fabric.device, keep)):
        evaluations.append(apply_measures(subject, measures))
        evaluations[-1].config = recipe_of(cfg, runs, number)
        several = len(runs) + bool(cfg.images) > 1
        with writing("hydra.run.dir", out):
            draw(subject, out / "evaluation" / (file_name(f"{number}_{Path(subject.name).stem}") if several else ""))
    if fabric.is_global_zero:
        with writing("hydra.run.dir", out):
            write_json(out / "evaluation.json", [e.as_dict() for e in evaluations])
            write_csv(evaluations, out / "evaluation.csv")
        show(evaluations, out)
        print(out)
    return evaluations


def _launched(cfg: DictConfig) -> Fabric:
    """The processes of an evaluation, seeded."""
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
    return fabric


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
