"""What a cell of a sweep is called, and when it is left as it is."""

import json
import subprocess
import sys
import textwrap

import pytest
from omegaconf import OmegaConf
from settings import TINY, config

from genlab.errors import UsageError
from genlab.runs.folder import taken
from genlab.runs.train import train
from genlab.sweeps.cell import cell_name, fingerprint, outcome

SHORT = (*TINY, "callbacks.frechet.n_samples=32", "~callbacks.progress")


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """A complete run that may be trained on by the same command."""
    path = tmp_path_factory.mktemp("cell")
    train(config(*SHORT, "resume=auto", run_dir=path))
    return path


@pytest.mark.parametrize(
    "override",
    ["model.latent_dim=11", "seed=1", "trainer.max_epochs=2", "data.flip=true", "~callbacks.ema", "model/encoder=mlp"],
)
def test_the_fingerprint_changes_with_whatever_bears_on_the_result(override):
    assert fingerprint(config(*SHORT, override)) != fingerprint(config(*SHORT))


@pytest.mark.parametrize(
    "override",
    ["paths.log_dir=elsewhere", "paths.data_dir=there", "logger=wandb", "tags=[a]", "sweep=b", "resume=auto"],
)
def test_the_fingerprint_does_not_change_with_what_does_not(override):
    assert fingerprint(config(*SHORT, override)) == fingerprint(config(*SHORT))


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
        (["seed=" + "1" * 1000], "seed-" + "1" * 145),
        ([], "cell"),
    ],
)
def test_a_cell_is_named_by_what_was_typed_and_a_hash(typed, name):
    root = OmegaConf.create({"seed": 0, "hydra": {"overrides": {"task": typed}}})
    assert cell_name(_root_=root) == f"{name}_{fingerprint(root)}"


def test_the_same_command_leaves_a_complete_run_and_gives_its_score_again(complete):
    before = {path: path.read_bytes() for path in complete.rglob("*") if path.is_file()}
    score = train(config(*SHORT, "resume=auto", run_dir=complete))
    assert score == outcome(complete).score == json.loads(before[complete / "summary.json"])["score"]["value"]
    assert before == {path: path.read_bytes() for path in complete.rglob("*") if path.is_file()}


def test_a_run_that_was_killed_before_it_could_say_that_it_is_complete_says_so(complete):
    summary = json.loads((complete / "summary.json").read_text())
    (complete / "summary.json").write_text(json.dumps(summary | {"status": "running"}))
    assert train(config(*SHORT, "resume=auto", run_dir=complete)) == summary["score"]["value"]
    assert outcome(complete).status == "completed"


def test_a_run_that_goes_on_with_another_configuration_is_not_taken_for_what_it_was(tmp_path):
    train(config(*SHORT, run_dir=tmp_path))
    own = outcome(tmp_path).summary["fingerprint"]
    assert own == fingerprint(config(*SHORT))
    longer = ["trainer.max_epochs=2"]
    train(config(f"resume={tmp_path}", *longer, run_dir="elsewhere"), longer)
    assert outcome(tmp_path).summary["fingerprint"] is None
    train(config(*SHORT, "trainer.max_epochs=3", "resume=auto", run_dir=tmp_path))
    assert outcome(tmp_path).summary["fingerprint"] == fingerprint(config(*SHORT, "trainer.max_epochs=3"))


def test_a_failed_run_is_tried_again_unless_it_is_to_be_left(tmp_path):
    wrong = ("model.latent_dim=0", "resume=auto")
    for _ in range(2):
        with pytest.raises(UsageError, match=r"^model\.latent_dim=0 "):
            train(config(*SHORT, *wrong, run_dir=tmp_path))
    with pytest.raises(UsageError, match=r"is left, as retry_failed=false: UsageError: model\.latent_dim=0 "):
        train(config(*SHORT, *wrong, "retry_failed=false", run_dir=tmp_path))
    assert outcome(tmp_path).status == "failed"


def test_outcomes_of_folders_without_a_run_or_with_a_damaged_summary(tmp_path):
    assert outcome(tmp_path) == ("new", None, None, {})
    for text in ("", "[1]", "{", '{"score": 1}', '{"status": "completed", "score": [2]}'):
        (tmp_path / "summary.json").write_text(text)
        assert outcome(tmp_path).status == "damaged"
    (tmp_path / "summary.json").write_text('{"status": "running"}')
    assert outcome(tmp_path)[:3] == ("running", None, None)


def test_two_processes_never_train_in_one_folder(tmp_path):
    holder = f"""
        from pathlib import Path
        from genlab.runs.folder import taken
        with taken(Path({str(tmp_path)!r})):
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
    with taken(tmp_path):
        pass
