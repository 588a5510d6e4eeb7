"""Every mode on runs with and on one without an encoder."""

import numpy as np
import pytest
from PIL import Image
from settings import options

from genlab.errors import UsageError
from genlab.modes.mode import all_modes

WITHOUT_ENCODER = ("animate", "grid", "interpolate", "invert", "manifold", "neighbours", "traverse")

FEW = {"animate": ["mode.seconds=0.4"], "invert": ["mode.steps=2"]}


@pytest.mark.parametrize("run", ["vae_run", "maps_run"])
@pytest.mark.parametrize("mode", options("mode"))
def test_every_mode_draws_a_vae(mode, run, request, look):
    """One whose codes are vectors, and one whose codes are maps."""
    path = look(request.getfixturevalue(run), f"mode={mode}", *FEW.get(mode, []))
    assert path.stem == mode
    if path.suffix == ".png":
        with Image.open(path) as picture:
            assert picture.convert("L").getextrema() != (0, 0)
    assert path.stat().st_size > 500


@pytest.mark.parametrize("mode", options("mode"))
def test_every_mode_draws_a_gan_or_lists_those_that_do(mode, gan, gan_run, look):
    fitting = {name for name, kind in all_modes().items() if kind.why_not(gan) is None}
    assert {*WITHOUT_ENCODER} <= fitting
    if mode in fitting:
        assert look(gan_run, f"mode={mode}", *FEW.get(mode, [])).stat().st_size > 500
        return
    with pytest.raises(UsageError, match=f"mode={mode} needs .*, which GAN has not") as error:
        look(gan_run, f"mode={mode}", *FEW.get(mode, []))
    listed = str(error.value).rpartition("Modes that fit this run: ")[2].rstrip(".")
    assert {*listed.replace(" and ", ", ").split(", ")} == fitting


@pytest.mark.parametrize("mode", options("mode"))
def test_every_mode_has_the_name_of_its_file_and_formats_that_its_yaml_takes(mode, vae_run, look):
    kind = all_modes()[mode]
    assert kind.__name__.lower() == mode
    if "npz" in kind.formats:
        path = look(vae_run, f"mode={mode}", "mode.format=npz", *FEW.get(mode, []))
        assert path.suffix == ".npz"
        with np.load(path) as arrays:
            assert all(len(arrays[name]) for name in arrays)
