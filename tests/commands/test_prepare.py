"""`python src/prepare.py`, and training on what it prepared."""

import json
from pathlib import Path

import numpy as np
import pytest
from layouts import photographs
from PIL import Image
from settings import config, options
from typed import type_in

from genlab.commands.prepare import prepare
from genlab.commands.train import train
from genlab.errors import UsageError

FEW = ("trainer=cpu", "trainer.max_epochs=1", "data.batch_size=16", "data.size=16", "trainer.log_every_n_steps=1")


@pytest.fixture
def photos(tmp_path) -> Path:
    """Photographs of two kinds, with one file that is none."""
    root = tmp_path / "my photos"
    for name in ("cats", "dogs"):
        (root / name).mkdir(parents=True)
        for number, image in enumerate(photographs(75, 40, 30, seed=len(name))):
            Image.fromarray(image).save(root / name / f"{number}.jpg")
    (root / "dogs" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    return root


def test_it_prints_the_manifest_and_draws_what_a_model_will_see(photos, tmp_path):
    result = type_in("prepare", "data=folder", f"data.root='{photos}'", "data.size=16", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (manifest,) = (json.loads(path.read_text()) for path in tmp_path.glob("data/prepared/*/manifest.json"))
    for part in (
        f"{manifest['counts']['train']}",
        "3 x 16 x 16",
        f"{manifest['mean'][0]:.1f}, {manifest['mean'][1]:.1f}",
        "2: cats, dogs",
        "dogs/broken.jpg",
    ):
        assert part in result.stdout
    sheet = Image.open(result.stdout.strip().splitlines()[-1])
    assert sheet.format == "PNG"
    assert np.asarray(sheet).std() > 20


def test_all_that_is_kept_is_looked_at_where_that_is_asked_for(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("genlab.data.cache.check_sums", lambda *_: None)  # as where the sample has missed it
    mine = ("data=folder", f"data.root={photos}", "data.size=16", f"paths.data_dir={tmp_path / 'data'}")
    cfg = config(*mine, "verify=true", run_dir=tmp_path, name="prepare")
    prepare(cfg)
    (cache,) = (path for path in (tmp_path / "data" / "prepared").iterdir() if path.is_dir())
    labels = np.load(cache / "train_labels.npy")
    np.save(cache / "train_labels.npy", 1 - labels)
    with pytest.raises(UsageError, match=r"is damaged \(train_labels.npy .*\): delete it, and it is made again"):
        prepare(cfg)
    prepare(config("data=digits", "verify=true", run_dir=tmp_path, name="prepare"))  # nothing is kept


@pytest.mark.slow
def test_a_gan_trains_on_what_was_prepared_without_decoding_again(photos, tmp_path, caplog, shared_data):
    mine = ("data=folder", f"data.root={photos}", *FEW, f"paths.data_dir={tmp_path / 'data'}")
    caplog.set_level("INFO")
    prepare(config(*mine[:2], "data.size=16", mine[-1], run_dir=tmp_path, name="prepare"))
    assert caplog.text.count("Decoding my photos once") == 1
    few = ("callbacks.frechet.n_samples=16", "model.generator.width=8", "model.discriminator.width=8")
    score = train(config("model=gan", *mine, *few, "~callbacks.progress", run_dir=tmp_path / "run"))
    assert caplog.text.count("Decoding my photos once") == 1
    assert score is not None
    assert (tmp_path / "run" / "samples" / "epoch_0001.png").is_file()
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "completed"


@pytest.mark.slow
def test_two_processes_train_on_a_data_set_that_the_first_one_decodes(photos, tmp_path):
    mine = ("data=folder", f"data.root='{photos}'", *FEW, "trainer=ddp_cpu", "callbacks=none")
    result = type_in("train", *mine, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("Decoding my photos once") == 1
    assert len(list(tmp_path.glob("data/prepared/*/manifest.json"))) == 1


WRONG = [
    ("data.root=nowhere", "data.root=nowhere does not exist"),
    ("data.limit=5", "data.root is missing: type data.root=VALUE"),
]


@pytest.mark.parametrize(("typed", "part"), WRONG, ids=[typed for typed, _ in WRONG])
@pytest.mark.parametrize("script", ["prepare", "train"])
def test_a_wrong_input_ends_with_one_sentence(script, typed, part, tmp_path):
    result = type_in(script, "data=folder", typed, cwd=tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert part in line


def test_a_mistyped_key_is_answered_with_the_nearest_one(tmp_path):
    result = type_in("prepare", "data=folder", "data.rooot=x", cwd=tmp_path)
    assert result.returncode == 1
    assert "Did you mean 'root'" in result.stderr


def test_its_help_lists_every_data_set(tmp_path):
    assert f"data: {', '.join(options('data'))}" in type_in("prepare", "--help", cwd=tmp_path).stdout
