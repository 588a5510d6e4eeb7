"""A checkpoint or a run folder from anybody: it runs nothing, tells nobody, and writes nowhere else."""

import copy
import json
import os
import zipfile
from functools import cache
from random import Random

import pytest
import torch
import yaml
from hand_made import changed, mutated, put_run, state
from omegaconf import OmegaConf
from settings import config
from typed import assert_refused, type_in

from genlab.commands.load import load_run
from genlab.commands.resume import resumption
from genlab.commands.train import train
from genlab.errors import UsageError
from genlab.foreign import Unreadable, parse_yaml, read_mapping
from genlab.run.checkpoint import DamagedCheckpoint, read_checkpoint
from genlab.run.summary import read_summary

MORE = "trainer.max_epochs=2"


def resume(run, *typed):
    """What `resume=RUN` would go on with."""
    return resumption(command(run, *typed), [f"resume={run}", MORE, *typed]).config


def command(run, *typed):
    """What the command is composed of."""
    cfg = copy.deepcopy(composed(typed))
    cfg.resume = cfg.paths.run_dir = str(run)
    return cfg


@cache
def composed(typed):
    return config("resume=run", *typed)


@pytest.fixture
def run(tmp_path):
    return tmp_path / "run"


@pytest.fixture
def trap(tmp_path):
    """A file that is there if somebody's code has run."""
    path = tmp_path / "trap"
    yield path
    assert not path.exists()


def call(trap):
    return f"_target_: torch.utils.collect_env.run, command: 'touch {trap}'"


@pytest.mark.parametrize("key", ["model.encoder", "model.optimizer", "model", "data.source", "data", "data.extra"])
@pytest.mark.parametrize("kind", ["{{oc.create:{{{0}}}}}", "{{oc.decode:'{{{0}}}'}}", "{{oc.dict.values:{{{0}}}}}"])
def test_what_a_resolver_would_make_is_not_made(key, kind, run, trap):
    put_run(run, changed(run, key, "$" + kind.format(call(trap))))
    with pytest.raises(UsageError, match=r"are followed|it may be damaged"):
        load_run(str(run))
    with pytest.raises(UsageError, match=r"are followed|it may be damaged"):
        resume(run)


def test_the_commands_say_so_in_one_sentence(run, trap, tmp_path):
    put_run(run, changed(run, "model.encoder", f"${{oc.create:{{{call(trap)}}}}}"))
    for script, key in (("sample", "run"), ("train", "resume")):
        assert_refused(type_in(script, f"{key}={run}", cwd=tmp_path), "model.encoder=${oc.create:", "is refused")


@pytest.mark.parametrize(
    "text",
    ["\\${oc.create:{a: 1}}", "${oc.create:${oc.env:HOME}}", "${${nowhere}}", "${a b}", "${data[root]}", "${", "${x:"],
)
def test_nor_is_what_only_looks_like_a_text(text, run):
    put_run(run, changed(run, "model.encoder.width", text))
    for read in (lambda: load_run(str(run)), lambda: resume(run)):
        with pytest.raises(UsageError, match=r"are followed|it may be damaged|reads the environment variable HOME"):
            read()


def test_a_built_value_is_no_reference_again():
    from genlab.config.build import build

    node = OmegaConf.create({"data": OmegaConf.to_container(composed(()).data, resolve=True), "name": "\\${oc.env:X}"})
    node.data.name = "${name}"
    with pytest.raises(UsageError, match="a value can't hold a dollar and a brace"):
        build(node.data)


OUT_OF_PLACE = [
    ("model", {"_target_": "genlab.loggers.CSVLogger", "dirpath": "x"}),
    ("model.encoder", {"_target_": "genlab.data.arrays.ImageWriter", "_partial_": True, "path": "x"}),
    ("model.encoder", {"_target_": "genlab.networks.MLP"}),
    ("model.encoder.activation", {"_target_": "genlab.losses.Hinge", "_partial_": True}),
    ("model.optimizer", {"_target_": "torch.nn.Linear", "_partial_": True}),
    ("model.optimizer.lr", {"_target_": "genlab.data.arrays.ImageWriter", "path": "x", "shape": [1]}),
    ("model.scheduler", {"_target_": "torch.optim.Adam", "_partial_": True}),
    ("model.latent_dim", {"_target_": "torch.nn.Linear"}),
    ("data", {"_target_": "lightning.pytorch.loggers.CSVLogger", "save_dir": "x"}),
    ("data.source", {"_target_": "genlab.losses.Hinge"}),
    ("data.source", {"_target_": "genlab.data.arrays.ImageWriter", "path": "x", "shape": [1]}),
]


@pytest.mark.parametrize(("key", "node"), OUT_OF_PLACE, ids=lambda part: str(part)[:60])
def test_a_role_takes_what_is_of_its_base_class_alone(key, node, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put_run(run, changed(run, key, node))
    before = sorted(tmp_path.rglob("*"))
    for read in (lambda: load_run(str(run)), lambda: resume(run)):
        with pytest.raises(UsageError, match=f"{key}[._a-z]*=?.* (is refused: {key} takes|is not possible)"):
            read()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("key", "node"),
    [
        ("callbacks.x", {"_target_": "genlab.loggers.CSVLogger", "dirpath": "x"}),
        ("callbacks.x", {"_target_": "lightning.pytorch.loggers.CSVLogger", "save_dir": "x"}),
        ("trainer", {"_target_": "lightning.pytorch.cli.LightningCLI"}),
        ("trainer.profiler", {"_target_": "lightning.pytorch.loggers.CSVLogger", "save_dir": "x"}),
    ],
    ids=lambda part: str(part)[:60],
)
def test_so_do_the_roles_of_a_resumed_run(key, node, run):
    put_run(run, changed(run, key, node))
    with pytest.raises(UsageError, match=f"{key}._target_=.* is refused: {key} takes a class derived from lightning"):
        resume(run)


def test_what_is_of_its_base_class_is_taken(run):
    put_run(run, changed(run, "model.encoder.activation", {"_target_": "torch.nn.GELU", "_partial_": True}))
    found = state(run)["config"]
    assert type(load_run(str(run)).model).__name__ == "AE"
    found = changed(
        run, "callbacks.stop", {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "monitor": "val/l"}
    )
    found["config"]["trainer"]["profiler"] = {"_target_": "lightning.pytorch.profilers.SimpleProfiler"}
    assert "stop" in resume(put_run(run, found)).callbacks


def test_variables_are_read_for_paths_and_numbers_alone(run, monkeypatch):
    monkeypatch.setenv("MY_TEXT", "shibboleth")
    monkeypatch.setenv("MY_NUMBER", "16")
    put_run(run, changed(run, "data.limit", "${oc.env:MY_NUMBER}"))
    assert load_run(str(run)).datamodule.limit == 16
    for key in ("data.name", "model.encoder.width", "data.limit"):
        put_run(run, changed(run, key, "${oc.env:MY_TEXT}"))
        for read in (lambda: load_run(str(run)), lambda: resume(run)):
            with pytest.raises(UsageError, match=f"{key} reads the environment variable MY_TEXT") as error:
                read()
            assert "shibboleth" not in str(error.value)
    folder = {"_target_": "genlab.data.Folder", "_partial_": True}
    for root, name in (("${oc.env:MY_TEXT}", "${data.root}"), ("${top}/x", "a"), ("${oc.env:UNSET,here}", "a")):
        found = changed(run, "data.source", folder)
        found["config"]["data"] |= {"root": root, "name": name, "cache_dir": "c"}
        found["config"]["top"] = "${oc.env:MY_TEXT}"
        assert load_run(str(put_run(run, found))).datamodule.source.root.parts[0] in ("shibboleth", "here")
        assert resume(run).data.name in ("shibboleth", "a")


def test_no_variable_becomes_a_part_of_an_address(run, monkeypatch):
    monkeypatch.setenv("MY_TEXT", "shibboleth")
    for path in ("https://example.org/${oc.env:MY_TEXT}.parquet", "${top}/${oc.env:MY_TEXT}"):
        found = changed(run, "data.path", path)
        found["config"]["top"] = "https://example.org"
        put_run(run, found)
        with pytest.raises(UsageError, match="no address is made of references"):
            load_run(str(run))


def test_loggers_keep_their_kind_and_their_names_and_nothing_else(run, monkeypatch, caplog):
    monkeypatch.setenv("MY_API_KEY", "shibboleth")
    board = {"_target_": "lightning.pytorch.loggers.TensorBoardLogger", "save_dir": "http://h/${oc.env:MY_API_KEY}/"}
    settings = {"base_url": "http://h", "api_key": "x"}
    wandb = {"_target_": "genlab.loggers.WandbLogger", "project": "mine", "entity": "theirs", "save_dir": "/tmp"}
    wandb["log_model"] = True
    other = {"_target_": "lightning.pytorch.loggers.MLFlowLogger", "tracking_uri": "http://h"}
    loggers = {"a": board | {"version": "../../x"}, "b": wandb | {"settings": settings, "name": "${oc.env:MY_API_KEY}"}}
    put_run(run, changed(run, "logger", loggers | {"c": other}))
    kept = OmegaConf.to_container(resume(run), resolve=True)["logger"]
    here = OmegaConf.to_container(config("logger=[tensorboard,wandb]", run_dir=run), resolve=True)["logger"]
    assert kept == {**here, "wandb": here["wandb"] | {"project": "mine", "log_model": True}}
    assert "logger.c of the run is left out" in caplog.text
    assert list(resume(run, "logger=tensorboard").logger) == ["tensorboard"]
    assert not resume(run, "logger=none").logger


PLACES = [
    ("callbacks.checkpoint.dirpath", "{0}/other/checkpoints"),
    ("callbacks.checkpoint.dirpath", "other"),
    ("callbacks.checkpoint.dirpath", "{0}/run/../other"),
    ("callbacks.checkpoint.dirpath", "${{oc.env:ELSEWHERE}}"),
    ("callbacks.x", {"_target_": "lightning.pytorch.callbacks.ModelCheckpoint", "filename": "../../x"}),
    ("callbacks.x", {"_target_": "lightning.pytorch.callbacks.ModelCheckpoint", "dirpath": "http://h/x"}),
    ("trainer.profiler", {"_target_": "lightning.pytorch.profilers.SimpleProfiler", "dirpath": "/tmp"}),
    ("trainer.default_root_dir", "/tmp"),
]


@pytest.mark.parametrize(("key", "place"), PLACES, ids=lambda part: str(part)[-50:])
def test_what_a_resumed_run_writes_lies_below_its_folder_unless_it_is_typed(key, place, run, tmp_path, monkeypatch):
    monkeypatch.setenv("ELSEWHERE", str(tmp_path / "other"))
    put_run(run, changed(run, key, place.format(tmp_path) if isinstance(place, str) else place))
    with pytest.raises(UsageError, match=rf"{key}.*=.* leads out of the run's folder .*: type it again"):
        resume(run)


def test_what_is_typed_may_lie_elsewhere_and_a_moved_run_takes_its_places_along(run, tmp_path):
    put_run(run, changed(tmp_path / "before", "callbacks.checkpoint.dirpath", str(tmp_path / "before/checkpoints")))
    assert resume(run).callbacks.checkpoint.dirpath == f"{run}/checkpoints"
    put_run(run, changed(run, "callbacks.checkpoint.dirpath", "/nowhere"))
    typed = f"callbacks.checkpoint.dirpath={tmp_path}/other"
    assert resume(run, typed).callbacks.checkpoint.dirpath == f"{tmp_path}/other"


def test_a_search_hears_nothing_of_a_run_that_goes_on_by_itself(run, tmp_path):
    prune = {"_target_": "genlab.search.prune.Prune", "study": str(tmp_path / "README.md"), "trial": 0}
    put_run(run, changed(run, "callbacks.prune", prune | {"pruner": {"_target_": "optuna.pruners.NopPruner"}}))
    assert resume(run).callbacks.prune.study == f"{run}/study.log"


@pytest.mark.parametrize("name", ["summary.json", "metrics.csv", "train.log", "checkpoints", "samples", "a/b", "a.tmp"])
def test_links_that_lead_out_of_a_resumed_run_are_not_followed(name, run, tmp_path):
    put_run(run, state(run))
    (tmp_path / "mine").mkdir()
    if name == "checkpoints":
        (run / name).rename(tmp_path / "theirs")
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).symlink_to(tmp_path / ("theirs" if name == "checkpoints" else "mine"))
    with pytest.raises(UsageError, match=f"{name} is a link that leads out of {run}"):
        resume(run)
    with pytest.raises(UsageError, match=f"{name} is a link that leads out of"):
        train(config("resume=auto", run_dir=run), [])
    assert not any((tmp_path / "mine").iterdir())


def test_nor_is_a_checkpoint_that_is_one(run, tmp_path):
    put_run(tmp_path / "mine", state(run))
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints" / "last.ckpt").symlink_to(tmp_path / "mine" / "checkpoints" / "last.ckpt")
    with pytest.raises(UsageError, match=r"last\.ckpt is a link that leads out of"):
        load_run(str(run))
    assert load_run(str(run / "checkpoints" / "last.ckpt"))  # which was typed
    (run / "checkpoints" / "last.ckpt").unlink()
    os.mkfifo(run / "summary.json")
    (run / "config.yaml").touch()
    with pytest.raises(UsageError, match=r"summary\.json is neither a file nor a folder"):
        resume(run)


def test_links_within_a_run_and_to_a_run_are_followed(run, tmp_path):
    put_run(run, state(run))
    (run / "checkpoints" / "last.ckpt").rename(run / "checkpoints" / "kept.ckpt")
    (run / "checkpoints" / "last.ckpt").symlink_to("kept.ckpt")
    (tmp_path / "link").symlink_to(run)
    assert load_run(str(tmp_path / "link"))
    assert resume(tmp_path / "link")


# Bombs


def test_a_checkpoint_that_would_unpack_to_more_than_it_is_is_damaged(run):
    put_run(run, state(run) | {"much": torch.zeros(2**24)})
    path = run / "checkpoints" / "last.ckpt"
    with zipfile.ZipFile(path) as stored, zipfile.ZipFile(run / "small.ckpt", "w", zipfile.ZIP_DEFLATED) as packed:
        for part in stored.infolist():
            packed.writestr(part.filename, stored.read(part))
    assert (run / "small.ckpt").stat().st_size < path.stat().st_size / 100
    with pytest.raises(DamagedCheckpoint, match="it would unpack to more than it is"):
        read_checkpoint(run / "small.ckpt")


@pytest.mark.parametrize("deep", [False, True])
def test_a_configuration_that_unfolds_for_ever_is_damaged(deep, run):
    bomb = ["x"]
    for _ in range(200 if deep else 25):
        bomb = [bomb] if deep else [bomb, bomb]
    put = state(run)
    put["config"]["note"] = bomb
    run.mkdir()
    torch.save(put, run / "bomb.ckpt")
    with pytest.raises(DamagedCheckpoint, match="it holds more than 20,000 values, or is nested more than 30 times"):
        read_checkpoint(run / "bomb.ckpt")


def test_so_is_a_file_of_yaml_that_does(run):
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)), "callbacks: *a39"]
    run.mkdir()
    (run / "config.yaml").write_text("\n".join(lines))
    with pytest.raises(Unreadable, match="it holds more than 20,000 values"):
        read_mapping(run, "config.yaml", parse_yaml)
    with pytest.raises(UsageError, match="is no run folder"):
        load_run(str(run))


def test_so_are_references_that_do(run):
    found = changed(run, "model.encoder.width", "${a39}")
    found["config"] |= {"a0": "xx"} | {f"a{n}": f"${{a{n - 1}}}${{a{n - 1}}}" for n in range(1, 40)}
    for empty in ("xx", ""):
        found["config"]["a0"] = empty
        put_run(run, found)
        for read in (lambda: load_run(str(run)), lambda: resume(run)):
            with pytest.raises(UsageError, match=r"unfolds to more|are followed"):
                read()


@pytest.mark.parametrize("value", ["${model.encoder.width}", "${..width}", "${model.encoder}"])
def test_so_are_those_that_lead_back(value, run):
    put_run(run, changed(run, "model.encoder.width", value))
    with pytest.raises(UsageError, match=r"are followed|it may be damaged"):
        load_run(str(run))


@pytest.mark.parametrize(("key", "value"), [("width", 10**12), ("depth", 10**9), ("depth", -1), ("width", -5)])
def test_a_model_that_would_never_be_built_is_refused(key, value, run):
    put_run(run, changed(run, f"model.encoder.{key}", value))
    with pytest.raises(UsageError):
        load_run(str(run))


# Damage


@pytest.mark.parametrize("content", [{}, {"model": {}}, [], None, 3, {"model": {}, "data": []}, {1: 2}])
def test_a_checkpoint_without_a_configuration_is_damaged(content, run):
    put_run(run, state(run) | {"config": content})
    for read in (lambda: load_run(str(run)), lambda: resume(run)):
        with pytest.raises(UsageError, match="may be damaged"):
            read()


@pytest.mark.parametrize("part", [0, 1, *(pytest.param(part, marks=pytest.mark.slow) for part in (2, 3))])
def test_a_mutated_checkpoint_is_read_or_refused_and_nothing_else(part, run):
    numbers = Random(part)
    whole = put_run(run, state(run)) / "checkpoints" / "last.ckpt"
    content, refused = state(run), 0
    for number in range(50):
        whole.write_bytes(mutated(content, numbers))
        try:
            if number % 5:
                load_run(str(whole))
            else:
                resume(run)
        except UsageError:
            refused += 1
        for put_aside in whole.parent.glob("*.damaged"):
            put_aside.unlink()
    assert refused > 15


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer_states": []},
        {"optimizer_states": [{"state": 3}]},
        {"loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 0}, "total": 3}}}},
        {"callbacks": {"Checkpoint": {"a": 1}}},
        {"optimizer_states": [{"state": {}, "param_groups": [{"params": [*range(8)], "lr": 0.1}]}]},
        {"images_seen": "x", "state_dict": {}},
        {"resume": {"processes": [3], "images_seen": 0, "metrics": {}, "rows": 0}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_lightning_can_not_take_up_is_damaged_too(change, run):
    put_run(run, state(run) | change)
    (run / "summary.json").write_text("{}")
    with pytest.raises(UsageError, match=r"last\.ckpt can't be read as a checkpoint, it may be damaged"):
        train(config(f"resume={run}", run_dir=run), [f"resume={run}", MORE])


@pytest.mark.parametrize("summary", [[], {"seconds": "x", "resumed": 3, "overrides": [[1]], "score": [], "status": 7}])
def test_a_summary_of_anything_is_no_hindrance(summary, run):
    put_run(run, state(run))
    (run / "summary.json").write_text(json.dumps(summary))
    typed = [f"resume={run}", "trainer.max_epochs=1", "trainer.limit_train_batches=1", "trainer.limit_val_batches=0"]
    train(config(f"resume={run}", run_dir=run), typed)
    assert read_summary(run)["status"] == "completed"


def test_an_untouched_one_is_read(run):
    put_run(run, state(run))
    assert load_run(str(run)).model.latent_dim == 1
    assert resume(run).trainer.max_epochs == 2
    assert yaml.safe_load((run / "config.yaml").read_text())["model"]["latent_dim"] == 1
