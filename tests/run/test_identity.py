"""What a run of a sweep is called, and when it is left as it is."""

import json
import subprocess
import sys
import textwrap

import pytest
from omegaconf import OmegaConf
from settings import TINY, config

from genlab.commands.train import train
from genlab.errors import UsageError
from genlab.run.folder import lock_run
from genlab.run.identity import cell_name, fingerprint, swept_keys
from genlab.run.summary import read_outcome

SHORT = (*TINY, "callbacks.frechet.n_samples=32", "~callbacks.progress")


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """A complete run that may be trained on by the same command."""
    path = tmp_path_factory.mktemp("cell")
    train(config(*SHORT, "resume=auto", run_dir=path))
    return path


@pytest.mark.parametrize(
    "override",
    [
        "model.latent_dim=11",
        "seed=1",
        "trainer.max_epochs=2",
        "data.flip=true",
        "~callbacks.ema",
        "model/encoder=mlp",
        "init=a",
    ],
)
def test_the_fingerprint_changes_with_whatever_bears_on_the_result(override):
    assert fingerprint(config(*SHORT, override)) != fingerprint(config(*SHORT))


@pytest.mark.parametrize(
    "override",
    ["paths.log_dir=elsewhere", "paths.data_dir=there", "logger=wandb", "tags=[a]", "sweep=b", "resume=auto"],
)
def test_the_fingerprint_does_not_change_with_what_does_not(override):
    assert fingerprint(config(*SHORT, override)) == fingerprint(config(*SHORT))


def hand_made(**keys):
    """A configuration that does not change with the files."""
    shape = ["${data.channels}", "${data.size}", "${data.size}"]
    data = {"name": "digits", "size": 28, "channels": 1, "image_shape": shape, "root": "${paths.data_dir}/digits"}
    node = {
        "model": {"_target_": "genlab.models.VAE", "latent_dim": 8, "image_shape": "${data.image_shape}"},
        "data": data,
        "callbacks": {"frechet": {"n_samples": 16, "cache_dir": "${paths.data_dir}/statistics"}},
        "trainer": {"max_epochs": 3, "default_root_dir": "${paths.run_dir}"},
        "logger": {"wandb": {"project": "${oc.env:WANDB_PROJECT,genlab}"}},
        "paths": {"data_dir": "${oc.env:DATA_DIR,data}", "log_dir": "logs", "run_dir": "logs/x"},
        "seed": 0,
        "sweep": None,
    }
    return OmegaConf.create(node | keys)


def test_the_fingerprint_of_an_ordinary_configuration_is_that_of_earlier_commits():
    assert fingerprint(hand_made()) == fingerprint(hand_made(init=None)) == "a8a996ae"


def test_the_fingerprint_knows_what_is_read_from_the_environment_by_what_was_typed(monkeypatch):
    typed = [fingerprint(hand_made(note=note)) for note in ("${oc.env:NOTE}", "${oc.env:OTHER}", "digits")]
    assert len(set(typed)) == 3
    for name, value in {"NOTE": "a", "OTHER": "b", "DATA_DIR": "c", "A_TOKEN": "digits-2", "KEY": "digits"}.items():
        monkeypatch.setenv(name, value)
    assert typed == [fingerprint(hand_made(note=note)) for note in ("${oc.env:NOTE}", "${oc.env:OTHER}", "digits")]


def test_a_default_that_is_typed_is_the_same_configuration():
    assert fingerprint(config("model=vae", "seed=0")) == fingerprint(config())


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (["model=gan", "data=shapes"], "data-shapes_model-gan"),
        (
            ["+model.d_steps=1", "~callbacks.ema", "model/encoder=mlp"],
            "model-encoder-mlp_model.d_steps-1_-callbacks.ema",
        ),
        (["data.root='/my cats'", "paths.log_dir=/a", "sweep=b", "logger=wandb", "tags=[c]"], "data.root-my-cats"),
        (["seed=" + "1" * 1000], "seed-" + "1" * 61 + ".." + "1" * 66),  # 143 bytes with the hash
        (["+note='${oc.env:HIDDEN} of ${seed}'"], "note-oc.env-HIDDEN-of-seed"),
        ([], "cell"),
    ],
)
def test_a_cell_is_named_by_what_was_typed_and_a_hash(typed, name):
    root = OmegaConf.create({"seed": 0, "hydra": {"overrides": {"task": typed}}})
    assert cell_name(_root_=root) == f"{name}_{fingerprint(root)}"


def root_of(folder, *typed):
    """As much of a run's configuration as its name is made of."""
    return OmegaConf.create({"seed": 0, "hydra": {"overrides": {"task": list(typed)}, "sweep": {"dir": str(folder)}}})


def test_where_a_sweep_varies_keys_a_cell_is_named_by_them_alone(tmp_path):
    root = root_of(tmp_path, "model=ae", "+model.d_steps=1", "trainer.max_steps=60")
    assert cell_name(["model", "model.d_steps"], _root_=root) == f"model-ae_model.d_steps-1_{fingerprint(root)}"
    assert cell_name(["data.root"], _root_=root_of(tmp_path, "model=ae", "data.root=${oc.env:NOWHERE}")).startswith(
        "data.root-oc.env-NOWHERE_"
    )


def test_a_folder_with_the_hash_of_a_cell_keeps_its_name(tmp_path):
    root = root_of(tmp_path, "model=ae", "seed=0")
    own = fingerprint(root)
    (tmp_path / f"as_it_was_called_{own}").mkdir()
    assert cell_name(["model"], _root_=root) == f"as_it_was_called_{own}"
    (tmp_path / f"model-ae_{own}").mkdir()
    assert cell_name(["model"], _root_=root) == f"model-ae_{own}"


@pytest.mark.parametrize(
    ("typed", "params", "keys"),
    [
        (["model=ae,vae", "seed=0", "+model.d_steps=1,2"], None, ["model", "model.d_steps"]),
        (
            ["model.latent_dim=choice(8,32)", "seed=range(0,3)", "model=glob(*)"],
            {},
            ["model.latent_dim", "seed", "model"],
        ),
        (["tags=[a,b]", "data.root='a,b'"], {"model": "ae,vae", "seed": "0"}, ["model"]),
        ([], None, []),
    ],
)
def test_the_keys_that_a_sweep_varies_are_those_with_several_values(typed, params, keys):
    assert swept_keys(OmegaConf.create(typed), params and OmegaConf.create(params)) == keys


def test_the_same_command_leaves_a_complete_run_and_gives_its_score_again(complete):
    before = {path: path.read_bytes() for path in complete.rglob("*") if path.is_file()}
    score = train(config(*SHORT, "resume=auto", run_dir=complete))
    assert score == read_outcome(complete).score == json.loads(before[complete / "summary.json"])["score"]["value"]
    assert before == {path: path.read_bytes() for path in complete.rglob("*") if path.is_file()}


def test_a_run_that_was_killed_before_it_could_say_that_it_is_complete_says_so(complete):
    summary = json.loads((complete / "summary.json").read_text())
    (complete / "summary.json").write_text(json.dumps(summary | {"status": "running"}))
    assert train(config(*SHORT, "resume=auto", run_dir=complete)) == summary["score"]["value"]
    assert read_outcome(complete).status == "completed"


@pytest.mark.slow
def test_a_run_that_goes_on_with_another_configuration_is_not_taken_for_what_it_was(tmp_path):
    train(config(*SHORT, run_dir=tmp_path))
    own = read_outcome(tmp_path).summary["fingerprint"]
    assert own == fingerprint(config(*SHORT))
    longer = ["trainer.max_epochs=2"]
    train(config(f"resume={tmp_path}", *longer, run_dir="elsewhere"), longer)
    assert read_outcome(tmp_path).summary["fingerprint"] is None
    train(config(*SHORT, "trainer.max_epochs=3", "resume=auto", run_dir=tmp_path))
    assert read_outcome(tmp_path).summary["fingerprint"] == fingerprint(config(*SHORT, "trainer.max_epochs=3"))


def test_a_failed_run_is_tried_again_unless_it_is_to_be_left(tmp_path):
    wrong = ("data.batch_size=5000", "resume=auto")
    for _ in range(2):
        with pytest.raises(UsageError, match=r"^data\.batch_size=5000 "):
            train(config(*SHORT, *wrong, run_dir=tmp_path))
    with pytest.raises(UsageError, match=r"is left, as retry_failed=false: UsageError: data\.batch_size=5000 "):
        train(config(*SHORT, *wrong, "retry_failed=false", run_dir=tmp_path))
    assert read_outcome(tmp_path).status == "failed"


def test_outcomes_of_folders_without_a_run_or_with_a_damaged_summary(tmp_path):
    assert read_outcome(tmp_path) == ("new", None, None, {})
    for text in ("", "[1]", "{", '{"score": 1}', '{"status": "completed", "score": [2]}'):
        (tmp_path / "summary.json").write_text(text)
        assert read_outcome(tmp_path).status == "damaged"
    (tmp_path / "summary.json").write_text('{"status": "running"}')
    assert read_outcome(tmp_path)[:3] == ("running", None, None)


@pytest.mark.slow
def test_two_processes_never_train_in_one_folder(tmp_path):
    holder = f"""
        from pathlib import Path
        from genlab.run.folder import lock_run
        with lock_run(Path({str(tmp_path)!r})):
            print("holds", flush=True)
            input()
    """
    command = [sys.executable, "-c", textwrap.dedent(holder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "holds\n"
        with pytest.raises(UsageError, match=r"Another process is training in .*: wait until it has ended"):
            train(config(*SHORT, run_dir=tmp_path))
        assert not (tmp_path / "config.yaml").exists()
        process.kill()
    with lock_run(tmp_path):
        pass
