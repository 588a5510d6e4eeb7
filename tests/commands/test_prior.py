"""`python src/prior.py`, and what draws codes from what it has fitted."""

import csv
import json
import shutil
from itertools import islice
from pathlib import Path

import pytest
import torch
from settings import TINY, config, options
from typed import assert_refused, type_in

from genlab.commands.evaluate import evaluate
from genlab.commands.export import export
from genlab.commands.load import load_run
from genlab.commands.prior import fit_prior
from genlab.commands.sample import sample
from genlab.commands.train import train
from genlab.errors import UsageError
from genlab.export.graph import load_functions
from genlab.images import to_float
from genlab.priors import Flow, Gaussian, store
from genlab.run.identity import fingerprint

FEW = {"mixture": ["prior.n_components=3"], "gaussian": []}
TRAINED = ["prior.epochs=2", "prior.width=32"]


@pytest.fixture
def checkpoint(vae_run, tmp_path) -> Path:
    """A checkpoint of its own, beside which no density lies."""
    return Path(shutil.copy(vae_run.path / "checkpoints" / "last.ckpt", tmp_path / "some.ckpt"))


def fit(run: Path, name: str, *typed: str) -> Path:
    return fit_prior(config(f"run={run}", f"prior={name}", *FEW.get(name, TRAINED), *typed, name="prior"))


def prior(name: str):
    return config("run=x", f"prior={name}", name="prior").prior


@pytest.mark.parametrize("name", sorted({*options("prior")} - {"none"}))
def test_a_run_draws_its_codes_from_what_was_fitted(name, checkpoint, capsys):
    path = fit(checkpoint, name)
    assert capsys.readouterr().out.strip() == str(path) == str(checkpoint.parent / "priors" / f"{name}.ckpt")
    own, model = (load_run(str(checkpoint), prior=node).model for node in (None, prior(name)))
    codes, own_codes = (m.prior(200, torch.Generator().manual_seed(0)) for m in (model, own))
    assert codes.shape == own_codes.shape
    assert not torch.equal(codes, own_codes)
    images = to_float(load_run(str(checkpoint)).datamodule.images("train")[:])
    with torch.no_grad():
        encoded = own.encode(images)
    assert (model.prior_moments()[0] - encoded.mean(0)).abs().max() < 1e-3
    assert (codes.mean(0) - encoded.mean(0)).abs().max() < 0.6
    torch.load(path, weights_only=True)


@pytest.mark.slow
def test_a_score_says_the_density_and_the_reconstruction_does_not(checkpoint, tmp_path):
    fit(checkpoint, "mixture")
    overrides = ["metrics=quick", "metrics.n_samples=16", "trainer=cpu", f"paths.data_dir={tmp_path}"]
    cfgs = [
        config(f"run={checkpoint}", *overrides, *more, name="eval", run_dir=tmp_path)
        for more in ([], ["prior=mixture"])
    ]
    plain, drawn = (evaluate(cfg)[0].measurements for cfg in cfgs)
    assert drawn["fd_efficientnet_lite0"].stamp.prior == "mixture (n_components=3)"
    assert drawn["mmd_to_prior"].stamp.prior == "mixture (n_components=3)"
    assert drawn["reconstruction_mse"] == plain["reconstruction_mse"]
    assert plain["fd_efficientnet_lite0"].stamp.prior is None
    assert drawn["fd_efficientnet_lite0"].value != plain["fd_efficientnet_lite0"].value


@pytest.mark.parametrize("name", ["mixture", pytest.param("flow", marks=pytest.mark.rare)])
def test_an_export_draws_from_it_without_genlab(name, checkpoint, tmp_path):
    fit(checkpoint, name)
    cfg = config(f"run={checkpoint}", f"prior={name}", f"to={tmp_path / 'out'}", "onnx=false", name="export")
    folder = export(cfg)
    assert "a density that was fitted to codes, " + name in (folder / "README.md").read_text()
    if name == "mixture":
        text = (folder / "generate.py").read_text()
        assert "noise_shape" in text
        assert set(load_functions(folder / "networks.py")) >= {"from_noise", "decode", "encode"}


def trained(*typed: str, path: Path, data: Path) -> float | None:
    """A run as `vae_run`, and more."""
    few = ("trainer.max_epochs=2", "callbacks.frechet.n_samples=32", "~callbacks.progress", f"paths.data_dir={data}")
    return train(config(*TINY, *few, "model=vae", "prior=gaussian", *typed, run_dir=path))


def test_a_run_ends_with_its_prior_and_is_scored_with_it(vae_run, shared_data, tmp_path):
    score = trained(path=tmp_path, data=shared_data)
    summary, before = (json.loads((path / "summary.json").read_text()) for path in (tmp_path, vae_run.path))
    key, own = "gaussian/fd_efficientnet_lite0", "val/fd_efficientnet_lite0"
    assert summary["status"] == "completed"
    assert summary["score"] == {"name": key, "value": score, "error": summary["metrics"][f"{key}_error"]["value"]}
    assert summary["metrics"][key]["protocol"]["prior"] == "gaussian"
    assert summary["metrics"][own] == before["metrics"][own]  # the training is the same
    assert before["metrics"][own]["value"] != score
    assert summary["metrics"][key]["protocol"] == before["metrics"][own]["protocol"] | {"prior": "gaussian"}
    *_, last = csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines())
    assert float(last[key]) == score
    path = tmp_path / "priors" / "gaussian.ckpt"
    written = path.stat().st_mtime_ns
    assert fit(tmp_path, "gaussian") == path
    assert path.stat().st_mtime_ns == written  # `prior.py` finds what it would have fitted


def test_a_run_without_one_is_the_same_run_as_before_there_were_any():
    plain, none, mixture = (fingerprint(config(*typed)) for typed in ([], ["prior=none"], ["prior=mixture"]))
    assert plain == none != mixture
    assert "prior" not in config()


def test_a_run_that_is_stopped_while_its_prior_is_fitted_goes_on_with_that(shared_data, tmp_path, monkeypatch):
    def stop(*_):
        raise SystemExit(143)

    with monkeypatch.context() as patched:
        patched.setattr("genlab.commands.prior.fit_density", stop)
        with pytest.raises(SystemExit):
            trained(path=tmp_path, data=shared_data)
    assert json.loads((tmp_path / "summary.json").read_text())["status"] == "interrupted"
    score = trained("resume=auto", path=tmp_path, data=shared_data)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["status"], summary["score"]["value"]) == ("completed", score)
    assert summary["score"]["name"] == "gaussian/fd_efficientnet_lite0"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["model=gan", "prior=mixture"], "prior=mixture needs a model with encode() and reconstruct(), and GAN has no"),
        (["prior=gaussian", "~callbacks.checkpoint"], "prior=gaussian is fitted to the weights of a checkpoint: keep"),
        (["prior.n_components=65", "prior=mixture"], "prior.n_components=65 is more than the 64 training images"),
    ],
)
def test_a_prior_that_a_run_could_not_fit_is_said_before_training(typed, said, tmp_path, shared_data):
    with pytest.raises(UsageError) as error:
        train(config(*TINY, f"paths.data_dir={shared_data}", *typed, run_dir=tmp_path))
    assert said in str(error.value)


def test_what_is_fitted_already_is_left_and_other_settings_fit_anew(checkpoint, monkeypatch):
    path = fit(checkpoint, "gaussian")
    before = path.stat().st_mtime_ns
    fit(checkpoint, "gaussian")
    assert path.stat().st_mtime_ns == before
    fit(checkpoint, "gaussian", "seed=1")
    assert path.stat().st_mtime_ns > before


def test_an_interrupted_fit_goes_on_to_the_same_density(checkpoint, tmp_path, monkeypatch):
    whole = torch.load(fit(checkpoint, "flow", "prior.epochs=3"))["state_dict"]
    (checkpoint.parent / "priors" / "flow.ckpt").unlink()
    fit_whole = Flow.fit
    monkeypatch.setattr("genlab.commands.prior.SECONDS", 0)
    monkeypatch.setattr(Flow, "fit", lambda self, codes, seed: islice(fit_whole(self, codes, seed), 1))  # killed
    fit(checkpoint, "flow", "prior.epochs=3")
    with pytest.raises(
        UsageError, match=r"flow.ckpt is not fitted to its end: type .*with its settings, flow .epochs=3, "
    ):
        load_run(str(checkpoint), prior=prior("flow"))
    epochs = []
    monkeypatch.setattr(
        Flow, "fit", lambda self, codes, seed: (epochs.append(done) or done for done in fit_whole(self, codes, seed))
    )
    again = torch.load(fit(checkpoint, "flow", "prior.epochs=3"))["state_dict"]
    assert len(epochs) == 2
    for key, value in whole.items():
        assert torch.equal(value, again[key]), key


def test_a_density_of_other_weights_is_refused(vae_run, checkpoint):
    fit(checkpoint, "gaussian", "weights=raw")
    with pytest.raises(UsageError, match="was fitted to the codes of other weights than"):
        load_run(str(checkpoint), prior=prior("gaussian"))
    assert load_run(str(checkpoint), "raw", prior("gaussian")).model.density is not None


def test_one_that_was_not_fitted_says_the_command(checkpoint):
    with pytest.raises(UsageError) as error:
        load_run(str(checkpoint), prior=prior("mixture"))
    assert str(error.value) == (
        "prior=mixture was not fitted to the codes of this run: type "
        f"python src/prior.py run={checkpoint} prior=mixture"
    )


def test_a_file_that_is_no_density_is_refused(checkpoint):
    path = store.prior_path(checkpoint, "gaussian")
    path.parent.mkdir()
    torch.save({"prior": {"_target_": "os.system"}, "codes": "", "seed": 0, "state_dict": {}, "training": {}}, path)
    with pytest.raises(UsageError, match="which is not a class of"):
        load_run(str(checkpoint), prior=prior("gaussian"))
    path.write_bytes(b"nothing")
    with pytest.raises(UsageError, match="it may be damaged"):
        load_run(str(checkpoint), prior=prior("gaussian"))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["prior=none"], "prior=none is the model's own, which needs no fit: type prior=mixture, or another one."),
        (["prior.n_components=0"], "prior.n_components=0 is not possible: it must be a whole number of at least 1."),
        (["prior.n_components=65"], "prior.n_components=65 is more than the 64 training images: type at most"),
        (
            ["prior._target_=genlab.models.VAE"],
            "prior._target_=genlab.models.VAE is refused: prior takes a class",
        ),
        (["prior=autoregressive", "prior.width=50"], "prior.width=50 is not possible: it must be a multiple of 32."),
    ],
)
def test_what_can_not_be_fitted_is_said_in_one_sentence(typed, said, vae_run, tmp_path):
    with pytest.raises(UsageError) as error:
        fit_prior(config(f"run={vae_run.path}", *typed, run_dir=tmp_path, name="prior"))
    assert str(error.value).startswith(said)


def test_the_command_ends_with_the_sentence(vae_run, tmp_path):
    wrong = {"prior=mixtur": "There is no prior 'mixtur'. Did you mean 'mixture'? Valid: autoregressive, flow, g"}
    wrong |= {"prior.n_components=65": "prior.n_components=65 is more than the 64 training images: type at most"}
    for typed, said in wrong.items():
        assert_refused(type_in("prior", f"run={vae_run.path}", typed, cwd=tmp_path), said)


@pytest.mark.parametrize("command", ["prior", "sample"])
def test_a_model_without_an_encoder_has_nothing_to_fit(command, gan_run, tmp_path):
    result = type_in(command, f"run={gan_run.path}", "prior=mixture", cwd=tmp_path)
    assert_refused(result, "prior=mixture needs a model with encode() and reconstruct(), and GAN has none")


def test_an_autoregressive_prior_does_not_leave_with_an_export(checkpoint, tmp_path):
    fit(checkpoint, "autoregressive")
    cfg = config(f"run={checkpoint}", "prior=autoregressive", f"to={tmp_path / 'out'}", "onnx=false", name="export")
    with pytest.raises(UsageError, match="prior=autoregressive draws the positions of a code in a loop"):
        export(cfg)


def test_pictures_are_drawn_from_it(checkpoint, tmp_path):
    fit(checkpoint, "gaussian")
    pictures = [
        sample(config(f"run={checkpoint}", *more, name="sample", run_dir=tmp_path / str(len(more)))).read_bytes()
        for more in ([], ["prior=gaussian"])
    ]
    assert pictures[0] != pictures[1]


def test_a_folder_of_images_has_no_codes(tmp_path):
    with pytest.raises(UsageError, match=r"prior= goes with run=PATH alone"):
        evaluate(config("images=x", "data=digits", "prior=mixture", name="eval", run_dir=tmp_path))


def test_the_moments_of_a_gaussian_are_those_of_its_draws(checkpoint):
    fit(checkpoint, "gaussian")
    model = load_run(str(checkpoint), prior=prior("gaussian")).model
    assert isinstance(model.density, Gaussian)
    mean, std = model.prior_moments()
    drawn = model.prior(4000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(0), mean, atol=0.1, rtol=0)
    torch.testing.assert_close(drawn.std(0), std, atol=0.1, rtol=0)
