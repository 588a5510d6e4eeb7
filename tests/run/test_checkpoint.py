"""What a checkpoint file says, and what it does not."""

import errno
from pathlib import Path

import pytest
import torch

from genlab.errors import UsageError
from genlab.run.checkpoint import (
    DamagedCheckpoint,
    checkpoint_folder,
    checkpoints_in,
    read_checkpoint,
    spoiled,
    write_checkpoint,
)

CHECKPOINT = {"config": {"data": {}, "model": {}}, "state_dict": {"decoder.weight": torch.arange(4096.0)}}


def fails(error: BaseException):
    def fail(*args, **kwargs):
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.EIO, "Input/output error"),
            r"last\.ckpt can't be read \(Input/output error\): type the",
        ),
        (MemoryError(), r"The machine has no memory left for .*last\.ckpt"),
    ],
)
def test_what_the_disk_or_the_memory_refuses_is_no_damage(error, said, tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    write_checkpoint(CHECKPOINT, path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", fails(error))
        with pytest.raises(UsageError, match=said) as caught:
            read_checkpoint(path)
    assert not isinstance(caught.value, DamagedCheckpoint)
    assert read_checkpoint(path)["state_dict"].keys() == CHECKPOINT["state_dict"].keys()


def test_nor_is_what_pytorch_has_no_memory_for(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    write_checkpoint(CHECKPOINT, path)
    with pytest.raises(RuntimeError) as real:
        torch.empty(10**15)
    monkeypatch.setattr(torch, "load", fails(real.value))
    with pytest.raises(UsageError, match="no memory left") as caught:
        read_checkpoint(path)
    assert not isinstance(caught.value, DamagedCheckpoint)


def test_a_folder_that_the_disk_does_not_list_is_not_an_empty_one(tmp_path, monkeypatch):
    assert checkpoints_in(checkpoint_folder(tmp_path / "run", {})) == []
    monkeypatch.setattr(Path, "iterdir", fails(OSError(errno.EIO, "Input/output error")))
    with pytest.raises(UsageError, match=r"checkpoints can't be read \(Input/output error\): type the command again"):
        checkpoint_folder(tmp_path / "run", {})


@pytest.mark.parametrize("damage", ["cut off", "a byte", "empty", "zeros", "a zeroed page"])
def test_what_the_content_says_is_damage(damage, tmp_path):
    path = tmp_path / "last.ckpt"
    write_checkpoint(CHECKPOINT, path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    contents = {"cut off": data[:-100], "a byte": data, "empty": b"", "zeros": bytes(len(data))}
    path.write_bytes((contents | {"a zeroed page": bytes(4096) + data[4096:]})[damage])
    with pytest.raises(DamagedCheckpoint, match="may be damaged"):
        read_checkpoint(path)


def test_weights_that_are_no_numbers_are_found_by_their_network():
    weights = {"encoder.weight": torch.ones(3), "decoder.weight": torch.tensor([1.0, float("nan")])}
    assert spoiled({"state_dict": weights}) == "decoder"
    assert spoiled({"state_dict": {"n": torch.tensor(3)}, "ema": weights}) == "decoder"
    assert spoiled({"state_dict": {"n": torch.tensor(3), "encoder.weight": torch.ones(3)}}) == ""
