"""What modes show of models that are told labels."""

import numpy as np
import pytest
import torch
from PIL import Image
from settings import config, options

from genlab.commands.load import load_run
from genlab.commands.train import train
from genlab.errors import UsageError
from genlab.images import to_float, to_uint8
from genlab.modes import Embed, Grid, Reconstruct, Traverse
from genlab.modes.mode import all_modes

FEW = {"animate": ["mode.seconds=0.4"], "invert": ["mode.steps=2"]}
WITH_LABEL = sorted(name for name, mode in all_modes().items() if "label" in mode.__init__.__annotations__)


@pytest.fixture(scope="module")
def labelled(labelled_run):
    return load_run(str(labelled_run.path))


def arrays(path):
    with np.load(path) as file:
        return {name: file[name] for name in file}


@pytest.mark.parametrize("mode", options("mode"))
def test_every_mode_draws_a_conditional_model(mode, labelled_run, look):
    assert look(labelled_run, f"mode={mode}", *FEW.get(mode, [])).stat().st_size > 500


@pytest.mark.parametrize("mode", WITH_LABEL)
def test_a_label_that_is_typed_is_that_of_all_images(mode, labelled_run, look):
    if "npz" not in all_modes()[mode].formats or mode in ("invert", "reconstruct"):
        assert look(labelled_run, f"mode={mode}", "mode.label=3", *FEW.get(mode, [])).is_file()
        return
    found = arrays(look(labelled_run, f"mode={mode}", "mode.label=3", "mode.format=npz"))
    assert set(found["labels"].tolist()) == {3}


def test_a_grid_has_a_row_for_each_class_with_the_same_codes(labelled):
    sheet = Grid(n_columns=4)(labelled, torch.Generator().manual_seed(0))
    assert list(sheet.rows) == [str(k) for k in range(10)]
    assert sheet.n_columns == 4
    codes, labels = (sheet.arrays[name].unflatten(0, (10, 4)) for name in ("codes", "labels"))
    assert torch.equal(codes, codes[:1].expand_as(codes))
    assert labels.tolist() == [[k] * 4 for k in range(10)]
    with torch.no_grad():
        row = labelled.model.decode(codes[3], torch.full((4,), 3))
    torch.testing.assert_close(sheet.images[12:16], row, atol=1e-5, rtol=0)


def test_reconstructions_are_told_the_labels_of_the_images(labelled):
    data = labelled.datamodule
    sheet = Reconstruct(n=4, n_columns=4)(labelled, torch.Generator().manual_seed(0))
    x = to_float(data.examples("test", 4))
    with torch.no_grad():
        own, none = (labelled.model.reconstruct(x, y) for y in (data.example_labels("test", 4), None))
    torch.testing.assert_close(sheet.images[4:], own, atol=1e-5, rtol=0)
    assert not torch.allclose(own, none, atol=1e-3)


def test_an_image_of_elsewhere_has_no_label_unless_one_is_typed(labelled, tmp_path):
    Image.fromarray(to_uint8(to_float(labelled.datamodule.examples("test", 1)))[0, 0].numpy()).save(tmp_path / "a.png")
    typed, none = (
        Reconstruct(n=1, n_columns=1, input=str(tmp_path / "a.png"), label=label)(labelled, torch.Generator())
        for label in ("3", None)
    )
    with torch.no_grad():
        x = typed.images[:1]
        told, untold = (labelled.model.reconstruct(x, torch.tensor([label])) for label in (3, -1))
    torch.testing.assert_close(typed.images[1:], told, atol=1e-5, rtol=0)
    torch.testing.assert_close(none.images[1:], untold, atol=1e-5, rtol=0)


def test_codes_of_images_are_those_that_their_labels_give(labelled):
    data = labelled.datamodule
    with torch.no_grad():
        scatter = Embed(n=6)(labelled, torch.Generator().manual_seed(0))
        expected = labelled.model.encode(to_float(data.examples("test", 6)), data.example_labels("test", 6))
    np.testing.assert_allclose(scatter.codes, expected.numpy(), atol=1e-5)


def test_a_traversal_says_its_label(labelled):
    assert Traverse(n=1, steps=2, label="7")(labelled, torch.Generator().manual_seed(0)).title.endswith(", label 7")


@pytest.mark.parametrize("mode", WITH_LABEL)
def test_a_label_is_refused_for_a_run_without(mode, vae_run, look):
    with pytest.raises(UsageError, match=r"mode.label=3 is for a model that was trained with labels, as model/cond"):
        look(vae_run, f"mode={mode}", "mode.label=3")


def test_a_label_that_does_not_exist_is_refused(labelled_run, look):
    with pytest.raises(UsageError, match=r"There is no class for mode.label '10'.* Valid: 0, 1, 2, 3, .*, none"):
        look(labelled_run, "mode.label=10")


def test_numbers_are_asked_for_by_name_and_shown_at_both_ends(tmp_path, look):
    few = ("data=shapes", "data.source.n_images=100", "data.size=16", "data.batch_size=16", "callbacks=checkpoint")
    cfg = config(*few, "trainer=cpu", "trainer.max_steps=2", "model/condition=value", run_dir=tmp_path / "run")
    train(cfg)
    run = load_run(str(tmp_path / "run"))
    rows = Grid(n_columns=2)(run, torch.Generator().manual_seed(0)).rows
    assert [row.split(":")[0] for row in rows] == [name for name in ("size", "rotation", "x", "y") for _ in range(2)]
    sheet = Grid(n=3, label={"size": 0.3})(run, torch.Generator().manual_seed(0))
    assert sheet.arrays["labels"][:, 2].tolist() == pytest.approx([0.3] * 3)
