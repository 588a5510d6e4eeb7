"""Averages of the weights that are stored, to put one of any length together."""

import shutil

import pytest
import torch
from lightning.pytorch import Callback
from settings import config
from small_training import trained

from genlab.callbacks import PostHocEMA
from genlab.commands.load import load_run
from genlab.commands.train import train
from genlab.errors import UsageError
from genlab.run.profiles import decay, exponent


class Weights(Callback):
    """Notes the same weights of G after each batch."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.seen.append(next(pl_module.generator.parameters()).detach().clone())


def test_stored_averages_are_those_of_the_weights_after_each_batch(tmp_path):
    weights = Weights()
    posthoc = PostHocEMA(str(tmp_path), every_n_images=30, every_n_steps=1)
    model, _ = trained("gan", callbacks=[weights, posthoc])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000000032.pt", "000000000064.pt"]
    state = torch.load(tmp_path / "000000000064.pt", weights_only=True)
    assert state["widths"] == [0.05, 0.1]
    for width, average in zip(state["widths"], state["averages"], strict=True):
        by_hand = torch.zeros_like(weights.seen[0])
        for batch, value in enumerate(weights.seen, 1):
            by_hand.lerp_(value, 1 - decay(16, 16 * batch, exponent(width)))
        torch.testing.assert_close(average["generator.layers.1.weight"], by_hand)
    assert {key.partition(".")[0] for key in average} == {"generator"}
    assert not torch.equal(next(model.generator.parameters()), by_hand)


def test_at_the_end_they_are_stored_whatever_the_interval(tmp_path):
    trained("gan", callbacks=[PostHocEMA(str(tmp_path), every_n_images=1_000_000)])
    assert [path.name for path in tmp_path.iterdir()] == ["000000000064.pt"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("run")
    few = ("trainer=cpu", "data.limit=64", "data.batch_size=16", "trainer.max_epochs=2", "data.size=16")
    often = (
        "callbacks=[checkpoint,posthoc]",
        "callbacks.posthoc.every_n_images=32",
        "callbacks.posthoc.every_n_steps=1",
    )
    train(config(*few, *often, "callbacks.checkpoint.every_n_steps=1", "callbacks.checkpoint.keep=9", run_dir=path))
    return path


def test_a_width_that_was_followed_comes_back_as_it_was_stored(run):
    loaded = load_run(str(run), ema=0.1)
    assert loaded.model.weights_in_use == "ema 0.1"
    stored = torch.load(run / "checkpoints" / "profiles" / "000000000128.pt", weights_only=True)["averages"][1]
    state = loaded.model.state_dict()
    assert all(torch.allclose(state[key], value, atol=1e-6) for key, value in stored.items())
    other = load_run(str(run), ema=0.2).model.state_dict()
    assert not any(torch.allclose(other[key], value, atol=1e-6) for key, value in stored.items() if "weight" in key)


def test_of_a_checkpoint_the_average_ends_there(run):
    early = load_run(str(run / "checkpoints" / "step_000000004.ckpt"), ema=0.1).model.state_dict()
    stored = torch.load(run / "checkpoints" / "profiles" / "000000000064.pt", weights_only=True)["averages"][1]
    assert all(torch.allclose(early[key], value, atol=1e-6) for key, value in stored.items())


def test_a_resumed_run_stores_what_an_uninterrupted_one_does(run, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(run, again)
    folder = again / "checkpoints"
    shutil.copyfile(folder / "step_000000005.ckpt", folder / "last.ckpt")
    profiles = folder / "profiles"
    (profiles / "000000000128.pt").write_bytes(b"of a run that went on and was lost")
    train(config(f"resume={again}", run_dir="unused"))
    for name in ("000000000064.pt", "000000000096.pt", "000000000128.pt"):
        first, second = (torch.load(p / name, weights_only=True) for p in (run / "checkpoints" / "profiles", profiles))
        for a, b in zip(first["averages"], second["averages"], strict=True):
            assert all(torch.equal(a[key], b[key]) for key in a)


def test_a_run_that_has_stored_none_says_what_to_type(gan_run):
    with pytest.raises(UsageError, match=r"train with \"callbacks=\[without_encoder,posthoc\]"):
        load_run(str(gan_run.path), ema=0.1)
