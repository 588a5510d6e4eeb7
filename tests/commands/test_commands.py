"""What a user types, and what they read back."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from settings import CONFIGS, ROOT, config, options, run_script
from typed import type_in

from genlab.cli import USER_ERRORS
from genlab.commands.load import find_checkpoint
from genlab.commands.machine import check_machine
from genlab.commands.train import train
from genlab.errors import UsageError
from genlab.sentences import EXTRAS, refused_override, sentence

QUICK = ("trainer=cpu", "trainer.max_epochs=1", "callbacks=none", "data.limit=16", "data.batch_size=16")

WRONG = [  # what is typed, and parts of what has to be said
    ("model=gann", ["no model 'gann'", "'gan'", ", ".join(options("model"))]),
    ("sead=3", ["no key 'sead'", "'seed'"]),
    ("a==b", ["'a==b' can't be read"]),
    ("model.latent_dim=0", ["model.latent_dim=0", "at least 1"]),
    ("hydra.run.dir=/dev/null/run", ["folder can't be written to", "/dev/null/run"]),
    ("resume=nowhere", ["resume=nowhere is no run", "config.yaml"]),
]


@pytest.mark.parametrize(("typed", "parts"), WRONG, ids=[typed for typed, _ in WRONG])
def test_a_wrong_input_ends_with_one_sentence_and_exit_code_1_before_training(typed, parts, tmp_path):
    result = type_in("train", typed, cwd=tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    for part in parts:
        assert part in line
    assert not list(tmp_path.rglob("*.ckpt"))


REFUSED = [  # the same in this process, most of it what shows only when objects are built
    ("model/decoder=convv", ["no model/decoder 'convv'", ", ".join(options("model/decoder"))]),
    ("experiment=nonsense", ["no experiment 'nonsense'", "Valid: "]),
    ("model.latent_dims=3", ["no model key 'latent_dims'", "'latent_dim'"]),
    ("data.batch_size=0", ["data.batch_size=0", "at least 1"]),
    ("data.batch_size=5000", ["data.batch_size=5000", "4000 training images"]),
    ("data.size=4", ["data.size=4", "from 8 to 512"]),
    ("model.latent_dim=many", ["model.latent_dim=many", "whole number"]),
    ("model.decoder.width=0", ["width=0", "at least 1"]),
    ("+model.depth=3", ["unexpected keyword argument 'depth'", "It takes: image_shape, latent_dim"]),
    ("+model.decoder.kernel=3", ["unexpected keyword argument 'kernel'", "It takes: in_shape, out_shape"]),
    ("model.encoder=mlp", ["model/encoder=mlp"]),
    ("model.encoder._target_=os.system", ["'os.system'", "refused"]),
]


@pytest.mark.parametrize(("typed", "parts"), REFUSED, ids=[typed for typed, _ in REFUSED])
def test_what_can_not_be_built_is_said_in_one_sentence(typed, parts, tmp_path):
    with pytest.raises(USER_ERRORS) as error:
        train(config(typed, "trainer=cpu", "callbacks=none", run_dir=tmp_path))
    for part in parts:
        assert part in sentence(error.value)


HYDRAS = [  # what Hydra and OmegaConf refuse with errors that name nothing, or in words of their own
    ("model=null", "There is no model 'null'. Valid: aae, ae,"),
    ("model/encoder=1", "There is no model/encoder '1'. Valid: conv, conv_fc,"),
    ("debug=null", "There is no debug 'null'. Valid: fast, overfit, profile."),
    ("~model=3", "There is no model '3'. Valid: aae, ae,"),
    ("=5", "=5 is not possible: Config group override must be a string or a list."),
    ("tags.x=1", "tags.x=1 is not possible: "),
    ("tags={a:b}", "tags={a:b} is not possible: Cannot merge DictConfig with ListConfig."),
    ("~tags.0", "~tags.0 is not possible: "),
    ("seed.x=1", "There is no seed key 'x'. There are none."),
    ("+experiment=digits_gan", "experiment is there already: type experiment=digits_gan, without a plus."),
]


@pytest.mark.parametrize(("typed", "said"), HYDRAS, ids=[typed for typed, _ in HYDRAS])
def test_what_can_not_be_composed_is_said_with_what_was_typed(typed, said):
    with pytest.raises(Exception, match=r".") as error:
        config(typed)
    say = sentence if isinstance(error.value, USER_ERRORS) else refused_override
    assert str(say(error.value)).startswith(said)


def test_an_error_that_no_argument_has_caused_is_none_of_an_argument():
    with pytest.raises(ZeroDivisionError) as error:
        print(1 / 0)
    assert refused_override(error.value) is None


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(UsageError, match=r"asks for a GPU.*trainer=cpu"):
        train(config("trainer=gpu", run_dir=tmp_path))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_ddp_without_a_gpu_runs_on_the_cpu_and_says_so(caplog):
    cfg = config("trainer=ddp").trainer
    check_machine(cfg)
    assert (cfg.accelerator, cfg.devices) == ("cpu", 1)
    assert "on the CPU" in caplog.text


BROKEN = """
import runpy, sys
from genlab.models import VAE
VAE.training_step = lambda *_: 1 / 0
sys.argv[:1] = []
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
def test_an_error_that_is_not_the_users_keeps_its_traceback(tmp_path):
    command = [sys.executable, "-c", BROKEN, str(ROOT / "src" / "train.py"), *QUICK, "hydra.run.dir=run"]
    result = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "Traceback" in (tmp_path / "run" / "train.log").read_text()
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert summary["error"].startswith("ZeroDivisionError")


OTHERS = ["eval", "sample", "prepare", "report", "export", "demo"]
CFG = ["--cfg", "job"]
QUESTIONS = [
    *((script, ["--help"]) for script in ("train", *OTHERS)),
    ("train", CFG),
    *(pytest.param(script, CFG, marks=pytest.mark.slow) for script in OTHERS),
]


@pytest.mark.parametrize(("script", "question"), QUESTIONS, ids=lambda part: "".join(part))
def test_help_and_the_configuration_come_without_importing_torch(script, question, tmp_path):
    """A torch that can't be imported stands in its place."""
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    (tmp_path / "lightning.py").write_text("raise SystemExit('lightning was imported')")
    result = run_script(script, *question, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "imported" not in result.stderr
    assert result.stdout


def test_help_lists_every_group_with_its_options_and_three_examples(tmp_path):
    text = type_in("train", "--help", cwd=tmp_path).stdout
    for group in (
        "data",
        "model",
        "model/encoder",
        "model/objective",
        "trainer",
        "logger",
        "debug",
        "features",
    ):
        assert f"{group}: {', '.join(options(group))}" in text
    assert text.count("python src/train.py") == 3


def test_a_run_has_to_be_named(tmp_path):
    result = type_in("sample", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.strip() == "error: run is missing: type run=VALUE (--help shows examples)."


@pytest.mark.parametrize(("run", "part"), [("nowhere", "run=nowhere does not exist"), (".", "run=. is no run folder")])
def test_a_run_that_is_none_is_refused(run, part):
    with pytest.raises(UsageError, match=part):
        find_checkpoint(Path(run))


def test_env_file_sets_where_runs_go_and_the_shell_wins_over_it(tmp_path):
    (tmp_path / ".env").write_text("LOG_DIR=from_file\nDATA_DIR=from_file\n")
    question = ("--cfg", "job", "-p", "paths.log_dir", "--resolve")
    assert type_in("train", *question, cwd=tmp_path).stdout.strip() == "from_file"
    assert type_in("train", *question, cwd=tmp_path, LOG_DIR="from_shell").stdout.strip() == "from_shell"


def test_the_example_env_file_names_every_variable_that_a_config_reads():
    read = {
        name.split(",")[0].rstrip("}")
        for path in CONFIGS.rglob("*.yaml")
        for name in path.read_text().split("oc.env:")[1:]
        for name in [name.split()[0]]
    }
    assert read
    example = (ROOT / ".env.example").read_text()
    assert [name for name in sorted(read) if f"{name}=" not in example] == []


@pytest.mark.slow
def test_a_sweep_gives_each_cell_a_folder_named_after_its_overrides_and_survives_a_failing_one(tmp_path):
    sweep = ("-m", f"hydra.sweep.dir={tmp_path}/sweep", "model=ae,gan", "model.latent_dim=2,0", "preflight=skip")
    result = type_in("train", *sweep, *QUICK, cwd=tmp_path)
    folders = [path.parent for path in tmp_path.glob("sweep/*/summary.json")]
    expected = {("ae", 2): "completed", ("gan", 2): "completed", ("ae", 0): "failed", ("gan", 0): "failed"}
    assert len(folders) == len(expected)
    assert not any(sign in folder.name for folder in folders for sign in "=,")  # they would need quotes after run=
    assert result.returncode == 1
    for (model, dim), status in expected.items():
        parts = (f"model-{model}_", f"_model.latent_dim-{dim}_")
        (folder,) = (folder for folder in folders if all(part in f"{folder.name}_" for part in parts))
        assert json.loads((folder / "summary.json").read_text())["status"] == status
        says_why = "error: model.latent_dim=0 is not possible" in (folder / "console.log").read_text()
        sentence = "model.latent_dim=0 is not possible: it must be null or a whole number of at least 1."
        assert says_why == (f"    {sentence}\n    {folder}" in result.stdout) == (status == "failed")


def test_a_launcher_that_is_not_installed_is_answered_with_the_extra_that_brings_it():
    result = type_in("train", "-m", "hydra/launcher=ray", "model=ae", cwd=ROOT)  # which the tests do not install
    assert result.returncode == 1
    assert 'hydra/launcher/ray needs a package that is not installed: type pip install -e ".[ray]".' in result.stderr


def test_every_extra_that_an_error_names_is_there():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {*EXTRAS.values(), "search", "dashboard", "huggingface", "demo", "video"} <= extras.keys()


def test_a_plain_error_is_put_on_one_line():
    assert sentence(ValueError("two\n  lines")) == "two lines"
