"""W&B as people ask for it: what it would refuse is said before training, and nothing of it ends a run."""

import json
import os

import pytest
from settings import config
from typed import assert_refused, type_in
from wandb_records import stored_records

from genlab.config.build import build, check_config
from genlab.errors import UsageError

BARE = ("data.limit=48", "data.batch_size=16", "trainer.max_epochs=1", "trainer=cpu", "callbacks=none")
LONG = "g" * 129

REFUSED = [  # what is typed, variables, and parts of what has to be said
    ([f"tags=[{'t' * 80}]"], {}, ["W&B does not take tags", "is 80 characters", "between 1 and 64"]),
    (["tags=['']"], {}, ["tags[0]= is not possible: it must be a text."]),
    (["logger.wandb.project=a/b"], {}, ["W&B does not take logger.wandb.project", "'/'"]),
    ([f"logger.wandb.project={LONG}"], {}, ["W&B does not take logger.wandb.project", "128"]),
    ([f"logger.wandb.group={LONG}"], {}, ["W&B does not take logger.wandb.group", "129 characters", "128"]),
    ([f"logger.wandb.name={LONG}"], {}, ["W&B does not take logger.wandb.name", "129 characters", "128"]),
    (["+logger.wandb.id=a/b"], {}, ["W&B does not take logger.wandb.id", "Run ID"]),
    (["+logger.wandb.mode=sometimes"], {}, ["W&B does not take logger.wandb.mode", "'offline'"]),
    (["+logger.wandb.resume=perhaps"], {}, ["W&B does not take logger.wandb.resume", "'must'"]),
    (["+logger.wandb.note=hello"], {}, ["no logger.wandb key 'note'", "'notes'"]),
    (["+logger.wandb.settings.consol=off"], {}, ["no logger.wandb.settings key 'consol'", "'console'"]),
    (
        ["logger.wandb.settings.init_timeout=soon"],
        {},
        ["W&B does not take logger.wandb.settings.init_timeout", "number"],
    ),
    ([], {"WANDB_MODE": "nonsense"}, ["W&B does not take the variable WANDB_MODE", "'offline'"]),
    ([], {"WANDB_TAGS": f"a,{'t' * 65}"}, ["W&B does not take the variable WANDB_TAGS", "is 65 characters"]),
    ([], {"WANDB_NAME": LONG}, ["W&B does not take the variable WANDB_NAME", "129 characters"]),
    ([], {"WANDB_BASE_URL": "nowhere"}, ["W&B does not take the variable WANDB_BASE_URL", "URL"]),
    ([], {"WANDB_API_KEY": f" {'x' * 40}"}, ["W&B does not take the variable WANDB_API_KEY", "whitespace"]),
]


def _check(cfg):
    check_config(cfg)
    build(cfg.logger.wandb)


@pytest.mark.parametrize(("typed", "variables", "parts"), REFUSED, ids=[str((t, [*v])) for t, v, _ in REFUSED])
def test_what_wandb_would_refuse_is_refused(typed, variables, parts, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    cfg = config("logger=wandb", *typed, run_dir=tmp_path)
    with pytest.raises(UsageError) as error:
        _check(cfg)
    assert all(part in str(error.value) for part in parts)


@pytest.mark.parametrize(("typed", "variables", "parts"), [REFUSED[0], REFUSED[-1]], ids=["typed", "variable"])
def test_that_is_said_before_data_is_read(typed, variables, parts, tmp_path):
    nowhere = ("data=folder", "data.root=nowhere")  # would be refused too, later
    result = type_in("train", *nowhere, "callbacks=none", "logger=wandb", *typed, cwd=tmp_path, **variables)
    assert_refused(result, *parts)


def offline(tmp_path, *typed, **variables):
    """What a run has left that W&B takes."""
    at = f"hydra.run.dir={tmp_path}/run"
    result = type_in("train", *BARE, at, "logger=wandb", *typed, cwd=tmp_path, HOME=str(tmp_path), **variables)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    folders = list((tmp_path / "run").glob("wandb/offline-run-*"))
    assert result.stdout.count("wandb sync") == len(folders)
    return folders


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "variables"),
    [
        ([f"tags=[{'t' * 64},7]", f"logger.wandb.project={'p' * 128}", "logger.wandb.name=1e5"], {}),
        (["+logger.wandb.resume=must", "+logger.wandb.notes=hello, wörld!"], {"WANDB_MODE": "dryrun"}),
        (["+logger.wandb.mode=offline", "+logger.wandb.fork_from=abc?_step=3"], {"WANDB_API_KEY": "x" * 40}),
        (["logger.wandb.log_model=true"], {"WANDB_DIR": "/dev/null/x", "WANDB_RUN_GROUP": "mine"}),
        ([], {"WANDB_API_KEY": "short"}),
    ],
)
def test_what_wandb_takes_is_recorded(typed, variables, tmp_path):
    assert len(offline(tmp_path, *typed, **variables)) == 1


@pytest.mark.parametrize(
    ("typed", "variables"),
    [
        ([], {"WANDB_MODE": "disabled"}),
        ([], {"WANDB_DISABLED": "true"}),
        (["+logger.wandb.mode=disabled"], {"WANDB_MODE": "offline"}),
        (["+logger.wandb.settings.mode=disabled"], {}),
    ],
)
def test_where_wandb_is_disabled_nothing_is_written_or_said(typed, variables, tmp_path):
    assert offline(tmp_path, *typed, **variables) == []
    assert not (tmp_path / "run/wandb").exists()
    assert not (tmp_path / "run/wandb_run_id.txt").exists()


@pytest.mark.slow
def test_an_id_that_is_typed_is_the_runs(tmp_path):
    (folder,) = offline(tmp_path, "+logger.wandb.id=my-run")
    assert folder.name.endswith("-my-run")
    assert (tmp_path / "run/wandb_run_id.txt").read_text() == "my-run"


@pytest.mark.slow
def test_a_missing_package_is_said_before_training(tmp_path):
    (tmp_path / "wandb.py").write_text("raise ImportError('no wandb here')")
    code = tmp_path / "sitecustomize.py"
    code.write_text("import sys\nsys.modules['wandb'] = None\n")
    from settings import run_script

    result = run_script("train", *BARE, "logger=wandb", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert_refused(result, "logger=wandb needs the package wandb", "pip install")


@pytest.mark.slow
def test_a_sweep_is_told_of_it_before_its_first_run(tmp_path):
    tag = f"tags=[{'t' * 80}]"
    result = type_in("train", "-m", "model=ae,vae", *BARE, "logger=wandb", tag, cwd=tmp_path)
    assert_refused(result, "2 of 2 runs can't be built")
    assert result.stdout.count("W&B does not take tags") == 2


@pytest.mark.slow
def test_a_long_sweep_name_is_a_short_group(tmp_path):
    name = "s" * 200
    at = f"hydra.run.dir={tmp_path}/{name}/cell"
    result = type_in("train", *BARE, at, f"sweep={name}", "logger=wandb", cwd=tmp_path, HOME=str(tmp_path))
    assert result.returncode == 0, result.stderr
    (record,) = tmp_path.glob("*/cell/wandb/offline-run-*/run-*.wandb")
    assert b"s" * 63 + b".." + b"s" * 63 in record.read_bytes()


@pytest.mark.slow
def test_loggers_of_a_resumed_run_come_from_the_command_line(tmp_path):
    run = tmp_path / "run"
    first = type_in("train", *BARE, "callbacks=checkpoint", f"hydra.run.dir={run}", "tags=[a]", cwd=tmp_path)
    assert first.returncode == 0, first.stderr

    def go_on(epochs, *typed):
        more = (f"resume={run}", f"trainer.max_epochs={epochs}", *typed)
        result = type_in("train", *more, cwd=tmp_path, HOME=str(tmp_path))
        assert result.returncode == 0, result.stderr
        return (run / "config.yaml").read_text()

    assert "wandb" in go_on(2, "logger=[tensorboard,wandb]", "logger.wandb.project=mine")
    (record,) = run.glob("wandb/offline-run-*/run-*.wandb")
    history, _, settings = stored_records(record)
    assert settings["tags"] == ["a"]
    assert history
    assert list((run / "tensorboard").glob("events*"))
    assert "project: mine" in go_on(3)
    assert len(list(run.glob("wandb/offline-run-*"))) == 2
    assert "wandb" not in go_on(4, "logger=none")
    assert "tensorboard" in go_on(5, "logger=tensorboard")
    assert len(list(run.glob("wandb/offline-run-*"))) == 2
    assert json.loads((run / "summary.json").read_text())["status"] == "completed"
    result = type_in("train", f"resume={run}", "trainer.max_epochs=6", "model=gan", cwd=tmp_path)
    assert_refused(result, "model=gan can't be changed")
