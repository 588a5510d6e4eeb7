"""What is found before the first run starts."""

import pytest
from omegaconf import OmegaConf
from settings import config, options
from sweeping import FEW, swept
from typed import assert_refused, type_in

from genlab.config.build import build
from genlab.models import AE
from genlab.sweeps.dry_run import dry_run


def resolved(*overrides):
    return OmegaConf.to_container(config("trainer=cpu", *overrides), resolve=True)


@pytest.mark.slow
def test_runs_that_can_not_be_built_stop_a_sweep_before_it_starts(tmp_path):  # and not if preflight=skip: test_cli
    result = swept(*FEW, "model=ae", "model.latent_dim=0,2,-1", "sweep=s", cwd=tmp_path)
    assert result.returncode == 1
    for value in (0, -1):
        assert f"  model.latent_dim={value}: model.latent_dim={value} is not possible" in result.stdout
    assert "2 of 3 runs can't be built" in result.stderr
    assert "preflight=skip" in result.stderr
    assert "started" not in result.stdout
    folder = tmp_path / "logs/train/sweeps/s"
    assert not [path for path in folder.iterdir() if path.is_dir()]


@pytest.mark.parametrize("name", options("model"))
def test_every_model_is_measured_without_being_filled(name):
    cfg = resolved(f"model={name}")
    model = build(OmegaConf.create(cfg).model)
    found = dry_run(cfg)
    assert found.error is None
    assert found.n_parameters == sum(p.numel() for p in model.parameters())
    weights = [*model.parameters(), *model.buffers()]
    assert found.n_bytes == sum(w.numel() * w.element_size() for w in weights)


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        (["model.latent_dim=0"], "model.latent_dim=0 is not possible"),
        (["model.decoder.width=0"], "width=0 is not possible"),
        (["data.size=4"], "data.size=4 is not possible"),
        (["model=gan", "callbacks=default"], "callbacks.reconstructions needs a model with"),
        (["callbacks.frechet.reference=tests"], "no split for callbacks.frechet.reference 'tests'"),
        (["+trainer.max_epoch=3"], "unexpected keyword argument 'max_epoch'"),
        (["trainer.precision=7"], "7"),
        (["+logger.mine._target_=os.system"], "'os.system'"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_training_would_refuse_is_said_in_one_sentence(typed, part):
    error = dry_run(resolved(*typed)).error
    assert error is not None
    assert part in error
    assert "\n" not in error


def test_a_model_whose_images_have_another_shape_is_refused(monkeypatch):
    monkeypatch.setattr(AE, "decode", lambda self, z: self.decoder(z)[..., :-1])
    assert "AE.decode makes images of shape (1, 28, 27)" in dry_run(resolved("model=ae")).error


def test_a_model_that_needs_memory_to_be_built_is_tried_on_the_cpu(monkeypatch):
    before = AE.__init__

    def demanding(self, *args, **kwargs):
        before(self, *args, **kwargs)
        assert all(p.sum().item() == p.sum().item() for p in self.parameters())  # there are no values on meta

    monkeypatch.setattr(AE, "__init__", demanding)
    assert dry_run(resolved("model=ae")).error is None


def test_preflight_is_one_of_four_and_of_a_single_run_there_is_no_bill(tmp_path):
    result = type_in("train", "-m", "preflight=maybe", "model=ae,vae", cwd=tmp_path)
    assert_refused(result, "There is no value of preflight 'maybe'", "Valid: only, probe, run, skip.")
    assert not list(tmp_path.iterdir())
    assert_refused(type_in("train", "preflight=only", cwd=tmp_path), "preflight=only says what a sweep", "-m")
