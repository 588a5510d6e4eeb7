"""What a summary keeps of a score while none is measured."""

from types import SimpleNamespace

import torch

from genlab.callbacks.summary import Summary
from genlab.run.summary import read_summary


def validated(summary, score, protocol):
    scorer = SimpleNamespace(score_key="val/fd", score=score, protocol=protocol)
    metrics = {"val/fd": torch.tensor(3.0), "val/loss": torch.tensor(1.0)}  # as Lightning keeps them
    trainer = SimpleNamespace(
        callbacks=[scorer], callback_metrics=metrics, is_global_zero=True, current_epoch=0, global_step=4,
        sanity_checking=False,
    )  # fmt: skip
    summary.on_validation_start(trainer, None)
    summary.on_validation_end(trainer, SimpleNamespace(images_seen=64))
    return read_summary(summary.dirpath)["metrics"]


def test_a_score_keeps_its_protocol_when_a_run_goes_on_and_measures_none(tmp_path):
    first, again = Summary(str(tmp_path)), Summary(str(tmp_path))
    expected = {"val/fd": {"value": 3.0, "protocol": {"n_fake": 16}}, "val/loss": {"value": 1.0}}
    assert validated(first, 3.0, {"n_fake": 16}) == expected
    again.load_state_dict(first.state_dict())
    assert validated(again, None, {}) == expected
    assert validated(again, 3.0, {"n_fake": 32})["val/fd"]["protocol"] == {"n_fake": 32}
