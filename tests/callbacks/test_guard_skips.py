"""With on_nonfinite=skip an update that would spoil the weights is left out, and nothing else."""

import json

import pytest
import torch
from poison import Poison, States, finite
from resuming import SMALL, assert_same_end, copied, rows
from settings import config, options
from small_training import trained
from typed import run_two

from genlab.callbacks import EMA, Guard
from genlab.commands.train import train
from genlab.errors import UsageError
from genlab.models import GAN
from genlab.models.base import ImageModel


def guard(folder, **more):
    return Guard(str(folder), on_nonfinite="skip", **more)


@pytest.mark.parametrize("name", options("model"))
def test_after_it_all_is_as_before_the_batch_and_training_goes_on(name, tmp_path, caplog):
    states, skipping = States(), guard(tmp_path)
    _, trainer = trained(name, callbacks=[states, Poison(1), EMA(100.0), skipping])
    assert states.same(1, 2)
    assert not states.same(0, 1, "weights")
    assert not states.same(2, 3, "weights")
    assert finite(states.seen[-1])
    assert (trainer.global_step, skipping.n_skipped) == (4, 1)
    assert json.loads((tmp_path / "summary.json").read_text()) == {"skipped_updates": 1}
    kept = torch.load(tmp_path / "nonfinite_batch.pt", weights_only=True)
    assert kept["x"].isnan().all()
    assert caplog.text.count("the update is left out") == 1
    assert "At batch 1 " in caplog.text


def test_so_are_the_statistics_of_batch_normalisation_that_has_met_the_batch(tmp_path):
    states = States()
    trained("vae", "model/decoder=conv_bn", callbacks=[states, Poison(1), guard(tmp_path)])
    assert any("running_mean" in name for name in states.seen[1]["buffers"])
    assert states.same(1, 2)
    assert not states.same(2, 3, "buffers")
    spoilt = States()
    trained("vae", "model/decoder=conv_bn", callbacks=[spoilt, Poison(1)])
    assert not finite(spoilt.seen[2]["buffers"])


def test_without_it_the_same_batch_ends_the_run_or_spoils_the_weights(tmp_path):
    with pytest.raises(UsageError, match="diverged at batch 1"):
        trained("vae", callbacks=[Poison(1), Guard(str(tmp_path))])
    states = States()
    trained("vae", callbacks=[states, Poison(1)])
    assert not finite(states.seen[2]["weights"])


def test_what_a_player_before_has_learnt_stands(tmp_path, monkeypatch):
    descend = GAN.descend

    def spoilt(self, terms, loss):
        if self.global_step == 1 and loss == "g_loss":
            terms["g_loss"] = terms["g_loss"] * float("inf")
        descend(self, terms, loss)

    monkeypatch.setattr(GAN, "descend", spoilt)
    states = States()
    trained("gan", callbacks=[states, guard(tmp_path)])
    before, after = states.seen[1], states.seen[2]
    same = {name for name, value in after["weights"].items() if torch.equal(value, before["weights"][name])}
    moved = {name.split(".")[0] for name in after["weights"].keys() - same}
    assert moved == {"discriminator"}
    assert states.same(1, 2, "buffers")


@pytest.mark.parametrize("batch", [0, 1])
@pytest.mark.parametrize(("name", "key"), [("vae", "+trainer.accumulate_grad_batches"), ("gan", "model.accumulate")])
def test_where_gradients_of_several_batches_make_an_update_it_is_left_out_as_a_whole(name, key, batch, tmp_path):
    states, skipping = States(), guard(tmp_path)
    trained(name, f"{key}=2", callbacks=[states, Poison(batch), skipping])
    assert states.same(0, 2, "weights", "optimisers")
    assert not states.same(2, 4, "weights")
    assert finite(states.seen[-1])
    assert skipping.n_skipped == 1
    kept = torch.load(tmp_path / "nonfinite_batch.pt", weights_only=True)["x"]
    assert kept.isnan().flatten(1).all(1).sum() == 16  # the images of the batch are there, whichever of the two it was


@pytest.mark.parametrize("every", [1, 2, 4])
def test_a_guard_that_looks_at_times_looks_at_each_update_with_an_nth_batch(every, tmp_path):
    """With four batches an update all of them are made in the fourth, batch 3, of which no second one is a multiple."""
    looking = Guard(str(tmp_path), every_n_steps=every)
    with pytest.raises(UsageError, match="diverged at batch 3"):
        trained("gan", "model.accumulate=4", callbacks=[Poison(1), looking])


def test_so_many_in_a_row_end_the_run_and_fewer_do_not(tmp_path):
    with pytest.raises(UsageError, match=r"diverged at batch 2: .* not finite. In 2 batches in a row"):
        trained("gan", callbacks=[Poison(1, 2), guard(tmp_path, max_skips=2)])
    skipping = guard(tmp_path, max_skips=2)
    trained("gan", callbacks=[Poison(1, 3), skipping])
    assert skipping.n_skipped == 2


@pytest.mark.slow
@pytest.mark.parametrize("model", ["ae", "gan"])
def test_it_is_logged_counted_warned_of_once_and_resumed_exactly(model, tmp_path, monkeypatch, caplog):
    started = ImageModel.on_train_batch_start

    def poisoned(self, batch, batch_idx):
        started(self, batch, batch_idx)
        if self.global_step in (2, 3, 5):
            batch[0].fill_(float("nan"))

    monkeypatch.setattr(ImageModel, "on_train_batch_start", poisoned)
    options = (*SMALL, f"model={model}", "callbacks.guard.on_nonfinite=skip")
    train(config(*options, run_dir=tmp_path / "whole"))
    assert caplog.text.count("the update is left out") == 1
    assert json.loads((tmp_path / "whole" / "summary.json").read_text())["skipped_updates"] == 3
    counts = [row["health/skipped_updates"] for row in rows(tmp_path / "whole") if row["train/images_seen"]]
    assert counts == ["0.0", "0.0", "1.0", "2.0", "2.0", "3.0", "3.0", "3.0"]
    for step in (3, 4):
        run = copied(tmp_path / "whole", tmp_path / f"run{step}", step)
        train(config(f"resume={run}", run_dir="unused"), [])
        assert_same_end(run, tmp_path / "whole")
        assert json.loads((run / "summary.json").read_text())["skipped_updates"] == 3


@pytest.mark.rare
def test_all_processes_leave_it_out_if_one_of_them_must(tmp_path):
    run_two("skip_worker.py", tmp_path, cwd=tmp_path)
    for name in ("gan", "vae"):
        ranks = [torch.load(tmp_path / f"{name}{rank}.pt") for rank in (0, 1)]
        assert [rank["unchanged"] for rank in ranks] == [True, True]
        assert [rank["n_skipped"] for rank in ranks] == [1, 1]
        assert [rank["moved"] for rank in ranks] == [True, True]
        for key, value in ranks[0]["weights"].items():
            assert torch.equal(value, ranks[1]["weights"][key])
            assert value.isfinite().all()
        assert (tmp_path / name / "nonfinite_batch_1.pt").is_file()
        assert not (tmp_path / name / "nonfinite_batch.pt").exists()
