"""What an exported folder holds, and what its card says."""

import json
import re
import shutil
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from exporting import exported, run_alone, untrained
from PIL import Image
from safetensors.torch import load_file
from settings import config
from typed import assert_refused, type_in

from genlab.commands.evaluate import evaluate
from genlab.commands.load import load_run
from genlab.errors import UsageError
from genlab.export import onnx
from genlab.export.facts import describe, shown_name
from genlab.export.folder import FILES, check_folder, replaced
from genlab.export.graph import trace
from genlab.images import to_float

ALL = {*FILES}


@pytest.fixture(scope="module")
def folder(vae_run, tmp_path_factory):
    """The VAE's export, with all that there can be."""
    return exported(vae_run.path, tmp_path_factory.mktemp("vae") / "out", "codes=true")


@pytest.fixture(scope="module")
def gan_folder(gan_run, tmp_path_factory):
    """The GAN's, with raw weights."""
    return exported(gan_run.path, tmp_path_factory.mktemp("gan") / "out", "weights=raw")


def card(folder):
    _, metadata, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(metadata), text


def config_json(folder):
    return json.loads((folder / "config.json").read_text())


@pytest.mark.slow
def test_all_files_are_there_and_none_holds_a_pickle(folder, gan_folder):
    assert {path.name for path in folder.iterdir()} == ALL
    assert {path.name for path in gan_folder.iterdir()} == ALL - {"encoder.onnx", "codes.npz"}
    for path in folder.iterdir():
        begins = path.read_bytes()[:2]
        assert begins[:1] != b"\x80"  # as pickles do
        assert begins != b"PK" or path.name == "codes.npz"  # as what torch.save writes does
    with np.load(folder / "codes.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays)


@pytest.mark.slow
def test_only_networks_that_inference_needs_are_in_it_with_the_averaged_or_the_raw_weights(folder, vae_run, gan_folder):
    weights = load_file(folder / "model.safetensors")
    averaged, raw = (load_run(str(vae_run.path), kind).model.state_dict() for kind in ("ema", "raw"))
    assert all(torch.equal(value, averaged[name]) for name, value in weights.items())
    assert not all(torch.equal(value, raw[name]) for name, value in weights.items())
    assert {name.partition(".")[0] for name in weights} == {"encoder", "decoder"}
    assert {name.partition(".")[0] for name in load_file(gan_folder / "model.safetensors")} == {"generator"}


@pytest.mark.slow
def test_onnx_files_take_batches_of_any_size(folder, vae_run):
    model = load_run(str(vae_run.path)).model
    for name, shape, method in (("decoder", model.latent_shape, model.decode), ("encoder", (1, 28, 28), model.encode)):
        session = onnxruntime.InferenceSession(folder / f"{name}.onnx")
        for n in (1, 2, 5):
            x = torch.randn(n, *shape)
            (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
            torch.testing.assert_close(torch.from_numpy(found), method(x).detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_an_onnx_file_that_is_off_is_refused(vae_run, tmp_path):
    model = load_run(str(vae_run.path)).model
    program = trace(model, "decode", torch.zeros(2, *model.latent_shape))
    with pytest.raises(UsageError, match=r"decoder\.onnx gives results that are 0\.\d+ off.*onnx=false"):
        onnx.write_onnx(program, tmp_path / "decoder.onnx", "codes", "images", lambda z: model.decode(z) + 2e-4)


def test_without_the_packages_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(onnx, "find_spec", lambda name: None if name == "onnxscript" else SimpleNamespace())
    with pytest.raises(UsageError, match=r'onnxscript, which is not installed: type pip install -e "\.\[export\]", or'):
        onnx.check_packages()


@pytest.mark.slow
def test_the_six_lines_of_the_card_work_alone(folder):
    (code,) = re.findall(r"```python\n(.*?)```", card(folder)[1], re.DOTALL)
    assert len(code.splitlines()) == 6
    run_alone(f"sys.path.insert(0, {str(folder)!r})\n" + code, cwd=folder.parent)
    assert len(list(folder.parent.glob("*.png"))) == 16
    with Image.open(folder.parent / "15.png") as image:
        assert image.size == (28, 28)


@pytest.mark.slow
def test_images_that_the_folder_draws_get_the_score_of_the_card(folder, shared_data, tmp_path):
    script = "import runpy; sys.argv = sys.argv[1:]; sys.path.insert(0, sys.argv.pop(0))\n"
    script += "runpy.run_path(sys.argv[0], run_name='__main__')"
    run_alone(script, folder, folder / "generate.py", 32, tmp_path / "images", cwd=tmp_path)
    (score,) = config_json(folder)["scores"]
    assert score["protocol"]["n_fake"] == 32
    few = ["metrics=quick", "metrics.n_samples=32", "trainer=cpu", f"paths.data_dir={shared_data}"]
    data = ["data=digits", "data.limit=64", f"images={tmp_path / 'images'}"]
    (found,) = evaluate(config(*few, *data, name="eval", run_dir=tmp_path / "eval"))
    measured = found.measurements[score["name"]]
    assert measured.value == pytest.approx(score["value"], rel=1e-3)
    assert measured.stamp.as_dict() | {"weights": "ema"} == score["protocol"]


@pytest.mark.slow
def test_the_card_is_one_that_the_hub_reads(folder, vae_run):
    metadata, text = card(folder)
    assert metadata["tags"] == ["genlab", "vae", "safetensors", "onnx"]
    data = huggingface_hub.ModelCard((folder / "README.md").read_text()).data
    (result,) = data.eval_results
    assert result.metric_type == "fd_efficientnet_lite0"
    assert result.metric_value == vae_run.score
    for part in ("64 images to train", "have seen 128 images", "drawn from N(0, I)", "| 32 |", "`codes.npz`"):
        assert part in text
    assert str(vae_run.path) not in text + (folder / "config.json").read_text()


@pytest.mark.slow
def test_a_card_shows_no_score_of_other_weights(gan_folder):
    metadata, text = card(gan_folder)
    assert "model-index" not in metadata
    assert "None was measured with these weights." in text
    assert config_json(gan_folder)["weights"] == "raw"


def test_a_run_that_went_on_shows_the_score_of_its_best_checkpoint_and_not_the_last_one(vae_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(vae_run.path, run)
    summary = json.loads((run / "summary.json").read_text())
    key = summary["score"]["name"]
    summary["metrics"][key]["value"] = 1.5
    for images_seen, best, last in ((128, [1.5], [1.5]), (192, [pytest.approx(vae_run.score)], [])):
        (run / "summary.json").write_text(json.dumps(summary | {"images_seen": images_seen}))
        for name, values in (("best", best), ("last", last)):
            found = describe(load_run(str(run / "checkpoints" / f"{name}.ckpt")))["scores"]
            assert [score["value"] for score in found] == values
            assert all(score["protocol"]["n_fake"] == 32 for score in found)


@pytest.mark.slow
def test_codes_are_those_of_the_images_in_their_order_with_labels(folder, vae_run):
    run = load_run(str(vae_run.path))
    with np.load(folder / "codes.npz") as arrays:
        assert {*arrays} == {f"{split}_{what}" for split in ("train", "val", "test") for what in ("codes", "labels")}
        for split in ("train", "val", "test"):
            codes = run.model.encode(to_float(run.datamodule.images(split)[:])).detach()
            torch.testing.assert_close(torch.from_numpy(arrays[f"{split}_codes"]), codes, rtol=1e-5, atol=1e-5)
            assert arrays[f"{split}_labels"].tolist() == run.datamodule.labels(split).tolist()


def test_a_gan_has_no_codes(gan_run, tmp_path):
    with pytest.raises(UsageError, match=r"codes=true needs a model with encode\(\)"):
        exported(gan_run.path, tmp_path / "out", "codes=true", "onnx=false")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_reconstruction_that_takes_more_than_the_code_is_told(tmp_path):
    for name, told in (("pooling", True), ("conv", False)):
        run = untrained(tmp_path / f"{name}.ckpt", "model=ae", f"model/encoder={name}", f"model/decoder={name}")
        text = (exported(run, tmp_path / name, "onnx=false") / "README.md").read_text()
        assert ("places of the maxima" in text) == told
        assert "the prior that belongs to the model" in text


def test_the_script_is_short_and_imports_nothing_else(tmp_path):
    from importlib.resources import files

    lines = (files("genlab.export") / "template" / "generate.py").read_text().splitlines()
    assert len(lines) <= 41
    imported = [line.split()[1].partition(".")[0] for line in lines if re.match("import|from", line)]
    assert imported == ["json", "sys", "pathlib", "zlib", "networks", "torch", "safetensors"]


def test_a_folder_that_holds_files_is_left_alone_unless_overwrite_says_so(tmp_path):
    check_folder(tmp_path / "new", overwrite=False)
    check_folder(tmp_path, overwrite=False)  # it is empty
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="overwrite=true"):
        check_folder(tmp_path, overwrite=False)
    check_folder(tmp_path, overwrite=True)
    with pytest.raises(UsageError, match="is a file"):
        check_folder(tmp_path / "mine.txt", overwrite=True)


def test_an_export_replaces_an_earlier_one_whole_and_keeps_files_of_others(tmp_path):
    for name in ("mine.txt", "README.md", "encoder.onnx"):
        (tmp_path / name).write_text("old")
    with replaced(tmp_path) as unfinished:
        (unfinished / "README.md").write_text("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"mine.txt": "old", "README.md": "new"}


@pytest.mark.parametrize("name", ["new", ""])
def test_after_an_error_all_is_as_it_was(name, tmp_path):
    folder = tmp_path / name
    (tmp_path / "README.md").write_text("old")
    with pytest.raises(FileNotFoundError), replaced(folder) as unfinished:
        (unfinished / "README.md").write_text((unfinished / "nothing").read_text())
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "old"


@pytest.mark.parametrize(
    ("text", "shown"), [("/home/me/cats", "cats"), ("flwrlabs/celeba", "flwrlabs/celeba"), ("digits", "digits")]
)
def test_folders_of_this_machine_are_not_published(text, shown):
    assert shown_name(text) == shown


@pytest.mark.slow
def test_the_command_prints_the_folder_and_leaves_nothing_else(vae_run, tmp_path):
    typed = (f"run={vae_run.path}", "to=out", "onnx=false")
    result = type_in("export", *typed, cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "out\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert_refused(type_in("export", *typed, cwd=tmp_path), "to=out holds files", "overwrite=true")
    assert type_in("export", *typed, "overwrite=true", cwd=tmp_path).returncode == 0
