"""Moving pictures."""

from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from toy import Toy

from genlab.errors import UsageError
from genlab.modes import Animate, film
from genlab.modes.animate import walk
from genlab.protocols import LoadedRun


def run_folder(path, n_epochs):
    """A run folder with a picture for each epoch, all alike."""
    (path / "samples").mkdir()
    for epoch in range(1, n_epochs + 1):
        Image.new("RGB", (131, 20), "red").save(path / f"samples/epoch_{epoch:04d}.png")
    return LoadedRun(None, None, {}, path / "checkpoints" / "best.ckpt")


def written(drawing, ending=".gif"):
    file = BytesIO()
    drawing.write(file, ending)
    return file


def test_a_walk_closes_and_its_last_step_is_as_small_as_its_first(generator):
    """There and back between two codes: the way back is the way there, so the loop closes by a step like the first."""
    stops = torch.randn(2, 3, 8, generator=generator)
    codes = walk(stops, 20)
    assert torch.equal(codes[0], stops[0])
    assert torch.allclose(codes[10], stops[1], atol=1e-5)
    assert torch.allclose(codes[1:], codes[1:].flip(0), atol=1e-5)
    steps = (codes.roll(-1, 0) - codes).norm(dim=2)
    assert torch.allclose(steps[-1], steps[0], atol=1e-5)
    assert (steps[-1] < 0.2 * steps.max(0).values).all()  # (1 - cos) / 2 is flat at its ends


def test_a_walk_stays_in_the_shell_of_its_stops(generator):
    stops = torch.nn.functional.normalize(torch.randn(5, 2, 16, generator=generator), dim=2)
    assert torch.allclose(walk(stops, 31).norm(dim=2), torch.ones(31, 2), atol=1e-5)


def test_a_walk_has_as_many_frames_as_its_seconds_have(generator):
    model = Toy(lambda z: z.tanh().view(-1, 1, 8, 8), latent_dim=64)
    drawing = Animate(n=4, n_columns=2, seconds=2, fps=10)(LoadedRun(model, None, {}, Path()), generator)
    with Image.open(written(drawing)) as gif:
        assert (gif.n_frames, gif.info["duration"], gif.info["loop"]) == (20, 100, 0)


def test_a_gif_of_training_has_a_frame_an_epoch_also_where_nothing_changes(tmp_path):
    drawing = Animate(of="training", seconds=6)(run_folder(tmp_path, 12), torch.Generator())
    with Image.open(written(drawing)) as gif:
        assert (gif.n_frames, gif.info["duration"]) == (12, 500)


def test_a_video_has_even_sides_and_lasts_as_long(tmp_path):
    pytest.importorskip("imageio_ffmpeg", reason="the extra `video` is not installed")
    import imageio.v2 as imageio

    (tmp_path / "film.mp4").write_bytes(
        written(Animate(of="training", seconds=2)(run_folder(tmp_path, 4), torch.Generator()), ".mp4").getvalue()
    )
    with imageio.get_reader(tmp_path / "film.mp4") as video:
        found = video.get_meta_data()
        assert (found["size"][0] % 2, found["size"][1] % 2, found["duration"]) == (0, 0, 2)
        assert video.get_data(0)[10, 10].tolist() == pytest.approx([255, 0, 0], abs=8)


def test_a_video_without_the_package_is_answered_with_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(film, "find_spec", lambda _: None)
    drawing = Animate(of="training")(run_folder(tmp_path, 2), torch.Generator())
    with pytest.raises(UsageError, match=r'pip install -e "\.\[video\]"'):
        written(drawing, ".mp4")


def test_a_run_without_pictures_is_refused_with_what_to_type(tmp_path):
    run = run_folder(tmp_path, 1)
    with pytest.raises(UsageError, match=r"has 1: type mode\.of=walk, or train with callbacks\.samples"):
        Animate(of="training")(run, torch.Generator())


def test_a_link_that_leads_out_of_the_run_is_not_followed(tmp_path):
    (tmp_path / "run").mkdir()
    run = run_folder(tmp_path / "run", 2)
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    (tmp_path / "run/samples/epoch_0003.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(UsageError, match="leads out of the folder"):
        Animate(of="training")(run, torch.Generator())


def test_a_damaged_picture_is_named(tmp_path):
    run = run_folder(tmp_path, 3)
    (tmp_path / "samples/epoch_0002.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    with pytest.raises(UsageError, match=r"epoch_0002\.png can't be read as an image"):
        written(Animate(of="training")(run, torch.Generator()))
