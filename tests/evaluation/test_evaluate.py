"""`eval.py`, on real runs and on folders."""

import json

import pandas as pd
import pytest
import torch
from PIL import Image
from settings import config, options
from torchvision.utils import save_image
from typed import type_in

from genlab.commands.evaluate import evaluate
from genlab.commands.load import load_run
from genlab.data import Digits
from genlab.errors import UsageError

PICTURES = {"samples.png", "neighbours.png", "reconstructions.png", "codes.png"}


@pytest.fixture
def evaluated(shared_data, tmp_path):
    """Evaluate with few samples; returns the evaluations."""

    def run(*overrides: str, metrics: str = "quick"):
        few = (f"metrics={metrics}", "trainer=cpu", "metrics.n_samples=32", f"paths.data_dir={shared_data}")
        return evaluate(config(*few, *overrides, run_dir=tmp_path, name="eval"))

    return run


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Forty real digits as PNG files, in nested folders."""
    path = tmp_path_factory.mktemp("images")
    images = Digits()()["test"].images[:40]
    for number, image in enumerate(images):
        (path / str(number % 3)).mkdir(exist_ok=True)
        Image.fromarray(image[0].numpy()).save(path / str(number % 3) / f"{number}.png")
    return path


@pytest.mark.slow
def test_it_gives_the_score_that_training_logged(vae_run, evaluated):
    (found,) = evaluated(f"run={vae_run.path}")
    assert found.measurements["fd_efficientnet_lite0"].value == pytest.approx(vae_run.score, rel=1e-4)
    summary = json.loads((vae_run.path / "summary.json").read_text())
    protocol = summary["metrics"]["val/fd_efficientnet_lite0"]["protocol"]
    assert found.measurements["fd_efficientnet_lite0"].stamp.as_dict() == protocol


@pytest.mark.slow
def test_a_vae_has_everything_but_classes_of_inception(vae_run, evaluated, tmp_path):
    (found,) = evaluated(f"run={vae_run.path}", "metrics.measures.likelihood.n_importance=3", metrics="full")
    assert found.not_applicable.keys() == {"inception_score", "per_label", "label_accuracy"}
    assert "kd_efficientnet_lite0" in found.measurements
    for metric in ("recall", "coverage", "elbo", "log_likelihood_bound", "bits_per_dimension", "active_units"):
        assert metric in found.measurements
    assert found.measurements["elbo"].value == pytest.approx(
        -found.measurements["nll"].value - found.measurements["kl"].value, rel=0.05
    )
    assert {path.name for path in (tmp_path / "evaluation").iterdir()} == PICTURES


def test_what_is_printed_is_in_the_files_too_each_value_with_its_stamp(vae_run, evaluated, tmp_path, capsys):
    (found,) = evaluated(f"run={vae_run.path}")
    (stored,) = json.loads((tmp_path / "evaluation.json").read_text())
    assert stored == found.as_dict()
    table = pd.read_csv(tmp_path / "evaluation.csv").set_index("metric")
    printed = capsys.readouterr().out
    for metric, measurement in found.measurements.items():
        assert table.loc[metric, "value"] == pytest.approx(measurement.value)
        assert table.loc[metric, "images"] == measurement.stamp.images
        assert f"{measurement.value:.5g}" in printed
    assert "32 / 64 train" in printed
    assert "data digits" in printed
    assert "weights ema" in printed
    assert "32 images for 1280 features" in printed


def test_what_does_not_apply_to_a_gan_is_listed(gan_run, evaluated, tmp_path, capsys):
    (found,) = evaluated(f"run={gan_run.path}", "metrics.measures.inversion.n_steps=2", metrics="full")
    assert found.not_applicable.keys() == {
        "inception_score",
        "reconstruction",
        "codes",
        "likelihood",
        "per_label",
        "label_accuracy",
    }
    assert "Not applicable: reconstruction, codes, as GAN has no encoder" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "evaluation").iterdir()} == {"samples.png", "neighbours.png"}


@pytest.mark.slow
def test_several_are_ranked_the_best_first(vae_run, gan_run, evaluated, tmp_path, capsys):
    runs = {"VAE": vae_run, "GAN": gan_run}
    evaluated(f"run=[{vae_run.path},{gan_run.path}]")
    printed = capsys.readouterr().out
    first, second = sorted(runs, key=lambda name: runs[name].score)
    assert printed.index(f"1: {first}") < printed.index(f"2: {second}")
    assert len(list((tmp_path / "evaluation").iterdir())) == 2


@pytest.mark.slow
def test_other_weights_are_another_protocol(vae_run, evaluated, tmp_path):
    checkpoint = torch.load(vae_run.path / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["ema"] = {name: 0.5 * value for name, value in checkpoint["ema"].items()}
    torch.save(checkpoint, tmp_path / "run.ckpt")
    found = [evaluated(f"run={tmp_path}/run.ckpt", f"weights={weights}")[0] for weights in ("ema", "raw")]
    averaged, raw = (evaluation.measurements["fd_efficientnet_lite0"] for evaluation in found)
    assert (averaged.stamp.weights, raw.stamp.weights) == ("ema", "raw")
    assert averaged.value != raw.value


@pytest.mark.slow
def test_runs_on_different_data_are_shown_and_not_ranked(vae_run, tmp_path, evaluated, capsys):
    checkpoint = torch.load(vae_run.path / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["config"]["data"]["limit"] = 32
    torch.save(checkpoint, tmp_path / "fewer.ckpt")
    with pytest.raises(UsageError, match=r"different protocols: images is \w+ and \w+; n_real is 64 and 32"):
        evaluated(f"run=[{vae_run.path},{tmp_path}/fewer.ckpt]")
    assert capsys.readouterr().out.count("1: VAE") == 2
    assert len(json.loads((tmp_path / "evaluation.json").read_text())) == 2


@pytest.mark.slow
def test_a_folder_of_images_is_scored_by_the_same_protocol(folder, evaluated):
    (found,) = evaluated(f"images={folder}", "data=digits", "data.limit=64")
    assert found.kind == "images"
    stamp = found.measurements["fd_efficientnet_lite0"].stamp
    assert (stamp.n_fake, stamp.n_real, stamp.weights) == (32, 64, None)
    (all_of_them,) = evaluated(f"images={folder}", "data=digits", "metrics.n_samples=1000")
    assert all_of_them.measurements["fd_efficientnet_lite0"].stamp.n_fake == 40
    assert found.not_applicable.keys() == {"losses", "reconstruction", "codes"}


@pytest.mark.slow
def test_samples_of_a_run_score_the_same_from_a_folder(vae_run, evaluated, tmp_path):
    samples = load_run(str(vae_run.path)).model.sample(32, torch.Generator().manual_seed(0))
    (tmp_path / "samples").mkdir()
    for number, image in enumerate(samples):
        save_image((image + 1) / 2, tmp_path / "samples" / f"{number:02d}.png")
    (run,) = evaluated(f"run={vae_run.path}")
    (images,) = evaluated(f"images={tmp_path}/samples", "data=digits", "data.limit=64")
    for metric in ("fd_efficientnet_lite0", "sharpness_samples", "diversity"):
        assert images.measurements[metric].value == pytest.approx(run.measurements[metric].value, rel=1e-4)


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        ((), "type run=PATH"),
        (("images=folder",), "type data=NAME"),
        (("run=a", "data=digits"), "data= goes with images=FOLDER alone"),
        (("run=[a,b,a]",), "run=a is named more than once"),
        (("run=a", "metrics.reference=trian"), r"Valid: official, test, train, train\+val, val\."),
        (("run=a", "metrics.split=trian"), r"Valid: test, train, val\."),
        (("run=a", "metrics.n_samples=1"), "metrics.n_samples=1"),
        (("run=a", "metrics.batch_size=0"), "metrics.batch_size=0"),
        (("run=nowhere",), "run=nowhere does not exist"),
        (("images=nowhere", "data=digits"), "images=nowhere does not exist"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(overrides, part, evaluated):
    with pytest.raises(UsageError, match=part):
        evaluated(*overrides)


@pytest.mark.parametrize("wrong", ["run=[{run},nowhere]", "images=nowhere"])
def test_a_wrong_one_among_several_is_found_before_the_first_is_measured(wrong, vae_run, evaluated, tmp_path):
    run = f"run={vae_run.path}"
    overrides = [wrong.format(run=vae_run.path)] if wrong.startswith("run") else [run, wrong]
    with pytest.raises(UsageError, match="nowhere does not exist"):
        evaluated(*overrides)
    assert not (tmp_path / "evaluation").exists()


def test_images_of_another_size_are_refused_with_both_sizes(tmp_path, evaluated):
    Image.new("L", (32, 16)).save(tmp_path / "wide.png")
    with pytest.raises(UsageError, match=r"wide\.png.*32x16 pixels, and the data 28x28"):
        evaluated(f"images={tmp_path}", "data=digits")


def test_a_damaged_image_is_named(tmp_path, evaluated):
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"broken\.png.*can't be read"):
        evaluated(f"images={tmp_path}", "data=digits")


@pytest.mark.parametrize("metrics", options("metrics"))
def test_every_option_of_metrics_composes_and_its_measures_are_named_in_the_help(metrics):
    cfg = config(f"metrics={metrics}", name="eval")
    assert cfg.metrics.measures
    if metrics == "paper":
        assert (cfg.metrics.n_samples, cfg.features._target_) == (50_000, "genlab.metrics.Inception")


def test_the_help_lists_what_there_is_to_choose(tmp_path):
    text = type_in("eval", "--help", cwd=tmp_path).stdout
    for group in ("features", "data", "trainer"):
        assert f"{group}: {', '.join(options(group))}" in text
    assert all(option in text for option in options("metrics"))


@pytest.mark.rare
def test_two_processes_find_what_one_finds_to_the_last_digit(vae_run, gan_run, shared_data, tmp_path):
    """As typed by a user, with a comma between two runs."""
    few = ("metrics.n_samples=50", "metrics.batch_size=16", "metrics.measures.likelihood.n_importance=3")
    found = {}
    for trainer in ("cpu", "ddp_cpu"):
        result = type_in(
            "eval",
            f"run={vae_run.path},{gan_run.path}",
            f"trainer={trainer}",
            f"paths.data_dir={shared_data / trainer}",
            f"hydra.run.dir={tmp_path / trainer}",
            *few,
            cwd=tmp_path,
            OMP_NUM_THREADS="1",
        )
        assert result.returncode == 0, result.stderr
        found[trainer] = json.loads((tmp_path / trainer / "evaluation.json").read_text())
    assert found["cpu"] == found["ddp_cpu"]
    assert found["cpu"][0]["metrics"]["fd_efficientnet_lite0"]["protocol"]["n_fake"] == 50


@pytest.mark.slow
def test_a_model_with_codes_of_maps_has_everything_that_one_with_vectors_has(maps_run, evaluated, tmp_path):
    (found,) = evaluated(f"run={maps_run.path}", "metrics.measures.likelihood.n_importance=3", metrics="full")
    assert found.not_applicable.keys() == {"inception_score", "per_label", "label_accuracy"}
    assert len(found.measurements["kl_per_dimension"].entries) == 2 * 7 * 7
    assert found.measurements["elbo"].value == pytest.approx(
        -found.measurements["nll"].value - found.measurements["kl"].value, rel=0.05
    )
    assert found.measurements["active_units"].value <= 98
    assert {path.name for path in (tmp_path / "evaluation").iterdir()} == PICTURES
