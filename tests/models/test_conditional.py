"""Models that are told labels."""

import pytest
import torch
from resuming import SMALL, assert_same_end, copied
from settings import TINY, config, options
from small_training import ADVERSARIAL

from genlab.commands.load import load_run
from genlab.commands.train import train
from genlab.conditioning import drawn_labels
from genlab.config.build import build
from genlab.errors import UsageError
from genlab.models.adversarial import AdversarialModel
from genlab.protocols import Reconstructs
from genlab.run.checkpoint import read_checkpoint

DIGITS = ("model/condition=class", "model.condition.names=[0,1,2,3,4,5,6,7,8,9]")


def built(name, *overrides):
    torch.manual_seed(0)
    return build(config(f"model={name}", *DIGITS, *overrides).model).eval()


@pytest.mark.parametrize("name", options("model"))
def test_every_model_decodes_encodes_and_scores_by_the_label(name):
    model, z = built(name), torch.zeros(2, *config(f"model={name}").data.image_shape)
    codes, x = model.prior(2), z + torch.rand(z.shape)
    zero, one = (torch.full((2,), label) for label in (0, 1))
    assert not torch.equal(model.decode(codes, zero), model.decode(codes, one))
    assert torch.equal(model.decode(codes), model.decode(codes, torch.full((2,), -1)))
    losses = [model.losses(x, torch.Generator().manual_seed(0), y=y) for y in (zero, one)]
    assert losses[0].keys() == losses[1].keys()
    if isinstance(model, Reconstructs):
        assert not torch.equal(model.reconstruct(x, zero), model.reconstruct(x, one))


@pytest.mark.parametrize("name", ["gan", "vae"])
def test_samples_without_labels_have_those_that_are_drawn_and_the_codes_of_the_seed(name):
    model, generator = built(name), torch.Generator().manual_seed(0)
    z = model.prior(4, generator)
    y = drawn_labels(model, 4, generator)
    assert torch.equal(model.sample(4, torch.Generator().manual_seed(0)), model.decode(z, y))
    asked = torch.tensor([3, 3, 3, 3])
    assert torch.equal(model.sample(4, torch.Generator().manual_seed(0), asked), model.decode(z, asked))


def test_the_share_of_labels_that_is_to_be_left_out_is():
    model = built("vae", "model.condition_drop=0.25")
    x, y = torch.zeros(4000, 1, 28, 28), torch.arange(4000) % 10
    model.noise = torch.Generator().manual_seed(0)
    kept = model.told((x, y))[1]
    assert (kept == -1).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(kept[kept >= 0], y[kept >= 0])


def test_without_gaps_no_number_is_drawn_and_without_a_condition_there_are_no_labels():
    batch = torch.zeros(2, 1, 28, 28), torch.tensor([1, 2])
    model = built("vae")
    model.noise = torch.Generator().manual_seed(0)
    assert torch.equal(model.told(batch)[1], batch[1])
    assert torch.equal(model.noise.get_state(), torch.Generator().manual_seed(0).get_state())
    assert build(config().model).told(batch)[1] is None


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_labels_can_be_left_out_of_a_model_that_is_told_some_alone(share):
    with pytest.raises(UsageError, match=rf"condition_drop={share} leaves out labels, and this model is told none"):
        build(config(f"model.condition_drop={share}").model)


@pytest.mark.parametrize("share", [1, -0.1])
def test_not_all_labels_can_be_left_out(share):
    with pytest.raises(UsageError, match=r"condition_drop=.* must be a finite number of at least 0 and below 1"):
        build(config("model/condition=class", f"model.condition_drop={share}").model)


@pytest.mark.parametrize("name", ["gan", "vae"])
def test_a_conditional_run_that_is_resumed_ends_where_it_would_have(name, tmp_path):
    few = ("model/condition=class", "model.condition_drop=0.3", "callbacks.checkpoint.keep=9")
    some = ("model.accumulate=2",) if issubclass(type(built(name)), AdversarialModel) else ()
    train(config(*SMALL, f"model={name}", *few, *some, run_dir=tmp_path / "whole"))
    for step in (2, 4):  # in the middle of an epoch, and at its end
        run = copied(tmp_path / "whole", tmp_path / f"run{step}", step)
        train(config(f"resume={run}", run_dir="unused"), [])
        assert_same_end(run, tmp_path / "whole")


def test_a_checkpoint_alone_rebuilds_a_conditional_model_with_the_labels_of_its_data(tmp_path):
    train(config(*TINY, "model/condition=class", "callbacks=checkpoint", run_dir=tmp_path))
    file = tmp_path / "checkpoints" / "last.ckpt"
    file.rename(tmp_path / "moved.ckpt")
    model = load_run(str(tmp_path / "moved.ckpt")).model
    assert model.condition.names == [str(k) for k in range(10)]
    counts = torch.bincount(build(config(*TINY).data).labels("train"), minlength=11) / 64
    torch.testing.assert_close(model.condition.shares, counts)


def test_a_run_that_goes_on_by_itself_knows_its_labels_already(tmp_path):
    few = (*TINY, "model/condition=value", "data=shapes", "data.source.n_images=100", "callbacks=checkpoint")
    train(config(*few, run_dir=tmp_path))
    train(config(*few, "resume=auto", "trainer.max_epochs=2", run_dir=tmp_path))
    assert read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["global_step"] == 8
    with pytest.raises(UsageError, match=r"holds a run with model.condition.of.*=size and .*=x is asked for"):
        train(config(*few, "resume=auto", "trainer.max_epochs=3", "model.condition.of=[x]", run_dir=tmp_path))


def test_images_that_wait_for_an_update_come_back_from_a_checkpoint_of_before_labels():
    model = build(config("model=gan").model)
    model.noise = torch.Generator()
    model.load_rank_state({"noise": model.noise.get_state(), "waiting": [torch.ones(1, 1, 28, 28)]})
    ((x, y),) = model._waiting
    assert x.shape == (1, 1, 28, 28)
    assert y is None


def test_adversarial_models_are_among_those_that_are_tested():
    assert {"gan", "aae", "bigan"} <= set(ADVERSARIAL)
