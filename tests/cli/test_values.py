"""Values of the wrong kind: what is typed, and what it becomes or what comes back."""

import json
import os

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image
from settings import config
from sweeping import FEW, swept
from typed import assert_refused, refusal, type_in

from genlab.commands.train import train
from genlab.config.build import build, check_config
from genlab.config.keys import KEYS
from genlab.errors import UsageError
from genlab.sweeps.dry_run import dry_run

BARE = ("trainer=cpu", "callbacks=none", "data.limit=16", "data.batch_size=16", "trainer.max_epochs=1")
SEED = "it must be a whole number from 0 to 4294967295."
OBJECT = (
    "it is an object with a _target_ and keys of its own, and where it is a group, an option is chosen with a slash"
)


def checked(*typed, name="train"):
    cfg = config(*typed, name=name)
    check_config(cfg)
    return cfg


BECOMES = [  # what is typed, the key that is looked at, and its value
    (["data.flip=no"], "data.flip", False),
    (["data.flip=off"], "data.flip", False),
    (["data.flip=Yes"], "data.flip", True),
    (["data.flip=on"], "data.flip", True),
    (["data.flip=0"], "data.flip", False),
    (["data.flip='true'"], "data.flip", True),
    (["model.compile=no"], "model.compile", False),
    (["model=gan", "model.discriminator.spectral_norm=yes"], "model.discriminator.spectral_norm", True),
    (["model.latent_dim=64.0"], "model.latent_dim", 64),
    (["model.latent_dim=1e3"], "model.latent_dim", 1000),
    (["model.latent_dim='16'"], "model.latent_dim", 16),
    (["model.decoder.width=32.0"], "model.decoder.width", 32),
    (["data.size=16.0"], "model.image_shape", [1, 16, 16]),
    (["data.limit=48.0"], "data.limit", 48),
    (["data.limit="], "data.limit", None),
    (["model.beta='2.5'"], "model.beta", 2.5),
    (["model.beta=2"], "model.beta", 2),
    (["model=gan", "+model.clip.generator='1'"], "model.clip.generator", 1),
    (["+model.optimizer.betas=['0.5',0.9]"], "model.optimizer.betas", [0.5, 0.9]),
    (["model.optimizer.weight_decay=1e-2"], "model.optimizer.weight_decay", 0.01),  # of its class: no plus
    (["callbacks.checkpoint.every_n_steps="], "callbacks.checkpoint.every_n_steps", None),
    (["callbacks.frechet.n_samples=1e2"], "callbacks.frechet.n_samples", 100),
    (["callbacks.health.max_growth='10'"], "callbacks.health.max_growth", 10),
    (["data.name=7"], "data.name", "7"),
    (["data=folder", "data.root=2024", "data.name=x"], "data.root", "2024"),
    (["data=folder", "data.root=2024"], "data.name", "2024"),
    (["tags=foo"], "tags", ["foo"]),
    (["tags=[1,b]"], "tags", ["1", "b"]),
    (["seed=1.0"], "data.seed", 1),
    (["seed='3'"], "seed", 3),
    (["retry_failed=off"], "retry_failed", False),
    (["logger=wandb", "logger.wandb.offline=yes"], "logger.wandb.offline", True),
    (["trainer.max_epochs='2'"], "trainer.max_epochs", 2),
    (["trainer.fast_dev_run=no"], "trainer.fast_dev_run", False),
    (["trainer.limit_val_batches='1.0'"], "trainer.limit_val_batches", 1.0),  # all of them
    (["trainer.limit_val_batches='1'"], "trainer.limit_val_batches", 1),  # one
]


@pytest.mark.parametrize(("typed", "key", "value"), BECOMES, ids=lambda part: str(part))
def test_a_value_becomes_what_its_key_takes(typed, key, value):
    found = OmegaConf.select(checked(*typed), key)
    assert found == value
    assert type(found) is type(value) or isinstance(value, list)


REFUSED = [  # what is typed, and the sentence
    (["data.flip=perhaps"], "data.flip=perhaps is not possible: it must be true or false."),
    (["data.flip=2"], "data.flip=2 is not possible: it must be true or false."),
    (["data.flip=null"], "data.flip=null is not possible: it must be true or false."),
    (["seed=null"], f"seed=null is not possible: {SEED}"),
    (["seed=abc"], f"seed=abc is not possible: {SEED}"),
    (["seed=-1"], f"seed=-1 is not possible: {SEED}"),
    (["seed=1099511627776"], f"seed=1099511627776 is not possible: {SEED}"),
    (["seed=1.5"], f"seed=1.5 is not possible: {SEED}"),
    (["callbacks.samples.seed=-1"], f"callbacks.samples.seed=-1 is not possible: {SEED}"),
    (
        ["model.latent_dim=many"],
        "model.latent_dim=many is not possible: it must be null or a whole number of at least 1.",
    ),
    (
        ["model.latent_dim=2.5"],
        "model.latent_dim=2.5 is not possible: it must be null or a whole number of at least 1.",
    ),
    (
        ["model.latent_dim=true"],
        "model.latent_dim=true is not possible: it must be null or a whole number of at least 1.",
    ),
    (["model.latent_dim=[8]"], "model.latent_dim=[8] is not possible: it must be null or a whole number."),
    (["data.limit=all"], "data.limit=all is not possible: it must be null or a whole number of at least 1."),
    (["model.optimizer.lr=nan"], "model.optimizer.lr=nan is not possible: it must be a finite number."),
    (["model.optimizer.lr=fast"], "model.optimizer.lr=fast is not possible: it must be a finite number."),
    (["model.beta=inf"], "model.beta=inf is not possible: it must be a "),
    (["+model.optimizer.betas=0.9"], "model.optimizer.betas=0.9 is not possible: it must be a list."),
    (["+model.optimizer.betas=[0.9]"], "model.optimizer.betas=[0.9] is not possible: it is a list of 2."),
    (["+model.optimizer.betas=[a,b]"], "model.optimizer.betas[0]=a is not possible: it must be a finite number."),
    (["data=folder", "data.root=[a,b]"], "data.root=[a,b] is not possible: it must be a text."),
    (["data=folder", "data.root="], "data.root= is not possible: it must be a text."),
    (["model=gan", "model.clip=1"], "model.clip=1 is not possible: it must be null or a mapping, as {NAME:VALUE}."),
    (["model.encoder=mlp"], f"{OBJECT}, as in model/encoder=mlp, and not with a dot."),
    (["model.likelihood=null"], f"model.likelihood=null is not possible: {OBJECT}"),
    (["model.scheduler=cosine"], f"model.scheduler=cosine is not possible: {OBJECT}"),
    (["model.latent_dim={a:1}"], "it must be null or a whole number."),
    (["preflight=no"], "There is no value of preflight 'no'. Valid: only, probe, run, skip."),
    (["tf32=high"], "tf32=high is not possible: it must be true or false."),
    (["data.device=gpu"], "There is no value of data.device 'gpu'. Did you mean 'cpu'? Valid: auto, cpu."),
    (["model.compile=fast"], "it must be true or false or default or reduce-overhead or max-autotune or"),
    (["retry_failed=never"], "retry_failed=never is not possible: it must be true or false."),
    (["trainer.max_epochs=soon"], "trainer.max_epochs=soon is not possible: it must be null or a whole number."),
    (["trainer.max_epochs=2.5"], "trainer.max_epochs=2.5 is not possible: it must be null or a whole number."),
    (["trainer.detect_anomaly=often"], "trainer.detect_anomaly=often is not possible: it must be true or false."),
    (["trainer.deterministic=maybe"], "trainer.deterministic=maybe is not possible: it must be null or true or false"),
    (["callbacks.health.min_diversity=low"], "callbacks.health.min_diversity=low is not possible: it must be a finite"),
    (["+model.depth=3"], "model.depth: genlab.models.VAE got an unexpected keyword argument 'depth'. It takes: image_"),
    (["+callbacks.ema.decay=0.9"], "callbacks.ema.decay: genlab.callbacks.EMA got an unexpected keyword argument"),
    (["+data.root=photos"], "data.root: genlab.data.ImageDataModule got an unexpected keyword argument 'root'."),
    (
        ["model=vqvae", "model.quantizer.codebook_size=1"],
        "codebook_size=1 is not possible: it must be a whole number from 2",
    ),
    (
        ["model=vqvae", "model/quantizer=fsq", "model.quantizer.levels=[8,2]"],
        "it must be a whole number of at least 3.",
    ),
    (
        ["model=klgan", "model.d_start=-1"],
        "model.d_start=-1 is not possible: it must be null or a whole number of at least 0.",
    ),
    (["model=klgan", "model.perceptual.network=vgg"], "Valid: best, efficientnet_lite0, lpips."),
    (["+model.decoder.widht=8"], "Did you mean 'width'?"),
    (["callbacks.samples=null"], "callbacks.samples=null is not possible: it is an object with a _target_."),
    (["+callbacks.early={patience:3}"], "To leave it out: ~callbacks.early."),
    (["+logger.mine=5"], "To leave it out: ~logger.mine."),
]


@pytest.mark.parametrize(("typed", "said"), REFUSED, ids=lambda part: str(part))
def test_a_value_that_a_key_can_t_take_is_refused_with_what_it_takes(typed, said):
    with pytest.raises(UsageError) as error:
        checked(*typed)
    assert said in str(error.value)


def keys_below(node, key=""):
    """Of a configuration, those that become no argument of a class."""
    if not isinstance(node, dict):
        return {key}
    if "_target_" in node:
        return set()
    return set().union(*(keys_below(part, f"{key}.{name}".lstrip(".")) for name, part in node.items()))


@pytest.mark.parametrize("script", ["train", "eval", "sample", "prepare", "report", "lecture"])
def test_every_key_of_a_script_has_a_type(script):
    found = keys_below(OmegaConf.to_container(config(name=script)))
    assert {"paths.run_dir"} < found
    assert found <= KEYS.keys()


OWN = [  # keys of the other scripts
    ("eval", ["metrics.n_samples=many"], "metrics.n_samples=many is not possible: it must be a whole number"),
    ("eval", ["metrics.measures.kernel.n_subsets=x"], "metrics.measures.kernel.n_subsets=x is not possible"),
    ("eval", ["weights=foo"], "There is no value of weights 'foo'. Valid: ema, raw."),
    ("sample", ["run=5", "mode.n=lots"], "mode.n=lots is not possible: it must be a whole number"),
    ("sample", ["run=5", "weights=foo"], "There is no value of weights 'foo'. Valid: ema, raw."),
    ("sample", ["run=5", "seed=x"], f"seed=x is not possible: {SEED}"),
    ("prepare", ["data.limit=some"], "data.limit=some is not possible: it must be null or a whole number"),
    ("prepare", ["data.channels=two"], "There is no value of data.channels 'two'. Valid: 1, 3."),
    ("prepare", ["verify=perhaps"], "verify=perhaps is not possible: it must be true or false."),
    ("export", ["run=5", "to=x", "weights=foo"], "There is no value of weights 'foo'. Valid: ema, raw."),
    ("export", ["run=5", "to=x", "onnx=maybe"], "onnx=maybe is not possible: it must be true or false."),
    ("lecture", ["claims.game.n_steps=0"], "claims.game.n_steps=0 is not possible: it must be a whole number of at"),
]


@pytest.mark.parametrize(("script", "typed", "said"), OWN, ids=lambda part: str(part))
def test_keys_of_the_other_scripts_are_checked_too(script, typed, said):
    with pytest.raises(UsageError) as error:
        checked(*typed, name=script)
    assert said in str(error.value)


OTHERS = [
    ("eval", ["trainer.devices=few"], "trainer.devices=few is not possible: "),
    ("sample", ["run=5"], "run=5 does not exist"),
    ("sample", ["run=5", "mode.n=0"], "mode.n=0 is not possible: it must be a whole number of at least 1."),
    ("prepare", ["verify=perhaps"], "verify=perhaps is not possible: it must be true or false."),
    ("report", ["sweep=${nope}"], "sweep refers to 'nope', and there is no such key: --cfg job lists all"),
    ("report", ["sweep=x", "to=paper"], "There is no value of to 'paper'. Valid: null, wandb."),
    ("export", ["run=5"], "to is missing: type to=VALUE (--help shows examples)."),
    ("export", ["run=5", "to=x", "onnx=false"], "run=5 does not exist"),
    ("export", ["run=5", "to=x", "push=me"], "push=me names no user: type push=USER/me."),
    (
        "lecture",
        ["only=toeplitz,gmae"],
        "There is no claim of the lecture 'gmae'. Did you mean 'game'? Valid: adversary,",
    ),
    ("lecture", ["only=toeplitz", f"out={os.devnull}"], f"{os.devnull} can't be written"),
]


@pytest.mark.parametrize(("script", "typed", "said"), OTHERS, ids=lambda part: str(part))
def test_the_other_scripts_say_so_too(script, typed, said, tmp_path):
    assert_refused(type_in(script, *typed, cwd=tmp_path), said)


TYPED = [
    (["data.flip=perhaps"], "data.flip=perhaps is not possible: it must be true or false."),
    (["model.latent_dim=1e9"], "The machine has no memory left for another "),
    (["model.latent_dim=1e18"], "The machine has no memory left"),
    pytest.param(  # an AE has taken gigabytes by then, which takes seconds
        ["model=ae", "model.latent_dim=1e9"], "The machine has no memory left for another ", marks=pytest.mark.slow
    ),
    (["data=folder", "data.root=2024"], "data.root=2024 does not exist: type the folder in which the images are."),
]
ODD = [
    (["model=klgan", "model.d_start=50000"], "model.d_start=50000 is beyond the"),
    (
        ["model=vqvae", "model/quantizer=lfq", "model.quantizer.codebook_size=100"],
        "as the signs of numbers give: type 64",
    ),
    (["model=vqgan", "model/quantizer=fsq", "model.quantizer.levels=[99,99,99]"], "is a codebook of 970299 entries"),
    (["seed=null"], f"seed=null is not possible: {SEED}"),
    (
        ["model.latent_dim="],
        "A code has no shape: type model.latent_dim=10, model.latent_shape=[4,8,8] or model.downsample=8.",
    ),
    (
        ["model.latent_dim=8", "model.latent_shape=[4,7,7]"],
        "[4,7,7] are given, and a code has one shape: type one alone",
    ),
    (["model.latent_shape=[4,28,28]"], "is a code larger than the image, which is [1,28,28]: type fewer channels or"),
    (["model.downsample=5"], "does not divide the sides of images of 28x28 pixels: type one of model.downsample=2, "),
    (["model.latent_shape=[4,8,8]"], "type 14,14 or 7,7 or 3,3 or 1,1 as the sides in model.latent_shape=[4,14,14]."),
    (["data.random_crop=28"], "type data.random_crop=31, or another number above 28."),
    (["data.limit=0"], "data.limit=0 is not possible: it must be null or a whole number of at least 1."),
    (["+model.optimizer.betas=[2,2]"], "model.optimizer can't be used: Invalid beta parameter at index 0: 2"),
]


@pytest.mark.parametrize(("typed", "said"), TYPED, ids=lambda part: str(part))
def test_the_command_ends_with_the_sentence(typed, said, tmp_path):
    assert_refused(type_in("train", *BARE, *typed, cwd=tmp_path), said)
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize(("typed", "said"), ODD, ids=lambda part: str(part))
def test_what_fits_nothing_has_its_sentence_too(typed, said, tmp_path):
    assert said in refusal(*BARE, *typed, cwd=tmp_path)


@pytest.mark.parametrize(("flip", "value"), [("no", False), ("yes", True)])
def test_a_value_is_recorded_as_what_it_has_become(flip, value, tmp_path):
    train(config(*BARE, f"data.flip={flip}", run_dir=tmp_path))
    assert OmegaConf.load(tmp_path / "config.yaml").data.flip is value


def test_a_folder_may_be_named_by_a_number(tmp_path):
    (tmp_path / "2024").mkdir()
    for number in range(24):
        Image.fromarray(np.full((16, 16), 10 * number, np.uint8)).save(tmp_path / "2024" / f"{number}.png")
    folder = ("data=folder", "data.root=2024", "data.size=16", "data.channels=1", "tags=2024")
    result = type_in("train", *BARE, *folder, "data.batch_size=8", "hydra.run.dir=run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "completed"
    recorded = OmegaConf.load(tmp_path / "run" / "config.yaml")
    assert (recorded.data.root, recorded.data.name, list(recorded.tags)) == ("2024", "2024", ["2024"])


def test_what_is_read_from_the_environment_is_converted_and_recorded_as_it_was_typed(tmp_path):
    typed = ("model.latent_dim=${oc.env:DIM}", "data.flip=${oc.env:FLIP}", "seed=${oc.env:SEED}", "hydra.run.dir=run")
    result = type_in("train", *BARE, *typed, cwd=tmp_path, DIM="4.0", FLIP="no", SEED="3")
    assert result.returncode == 0, result.stderr
    recorded = (tmp_path / "run" / "config.yaml").read_text()
    for reference in ("latent_dim: ${oc.env:DIM}", "flip: ${oc.env:FLIP}", "seed: ${oc.env:SEED}"):
        assert reference in recorded
    assert_refused(type_in("train", *BARE, *typed[:1], cwd=tmp_path, DIM="few"), "model.latent_dim=few is not possible")


LINE = "{_target_: genlab.schedules.Linear, start: 0, end: 1, images: 100}"
LBFGS = ["model.optimizer._target_=torch.optim.LBFGS", "~model.optimizer.fused"]
OPTIMISERS = [  # what is typed, and what preflight says; None where it trains
    (["model.optimizer._target_=torch.optim.RMSprop"], "unexpected keyword argument 'fused'. It takes: params, lr, "),
    (["model=gan", "model.optimizer._target_=torch.optim.RMSprop"], "~model.optimizer.fused ~model.optimizer.betas."),
    (["model.optimizer._target_=torch.optim.RMSprop", "~model.optimizer.fused"], None),
    (["model.optimizer._target_=torch.optim.SGD", "model.optimizer.momentum=0.9"], None),
    (["model.optimizer._target_=torch.optim.AdamW", "model.optimizer.weight_decay=0.1"], None),
    (LBFGS, None),
    (["model=gan", *LBFGS, "~model.optimizer.betas"], "model.optimizer can't be used:"),
    (["model.optimizer._target_=torch.optim.SparseAdam", "~model.optimizer.fused"], "does not support dense gradients"),
    (["model.optimizer._target_=torch.optim.Muon", "~model.optimizer.fused"], "Muon only supports 2D parameters"),
    ([f"+model.schedules.gamma={LINE}"], "There is no number to schedule in model.schedules 'gamma'. Valid: beta, "),
    ([f"+model.schedules.beta2={LINE}"], "model.schedules.beta2 goes from 0 to 1, and it must stay from 0 to below 1."),
    (["model=gan", "model/augment=ada", "model/objective=wgan_gp"], "Wasserstein has none: type model.augment.target="),
    (["model=gan", "+model.optimizers.generator={weigth_decay: 1}"], "unexpected keyword argument 'weigth_decay'"),
    (["model.optimizer.lr=-1"], "model.optimizer can't be used: Invalid learning rate: -1"),
    (
        ["model.optimizer.foreach=true"],
        "model.optimizer can't be used: `fused` and `foreach` cannot be `True` together",
    ),
    (["model=gan", "+model.learning_rates.painter=1"], "There is no player in model.learning_rates 'painter'."),
]
SCHEDULES = [
    ("ReduceLROnPlateau", {}, "model.scheduler=ReduceLROnPlateau is not possible: it waits for a metric"),
    ("CosineAnnealingLR", {}, "missing 1 required positional argument: 'T_max'"),
    ("CosineAnnealingLR", {"T_max": "x"}, "model.scheduler.T_max=x is not possible: it must be a whole number."),
    ("CosineAnnealingLR", {"T_max": 10, "eta": 1}, "got an unexpected keyword argument 'eta'. Did you mean 'eta_min'?"),
    ("CosineAnnealingLR", {"T_max": 10.0}, None),
    ("ExponentialLR", {"gamma": 0.999}, None),
    ("OneCycleLR", {"max_lr": 0.01}, "You must define either total_steps"),
    ("OneCycleLR", {"max_lr": 0.01, "total_steps": 99}, None),
    ("CyclicLR", {"base_lr": 0.001, "max_lr": 0.01}, None),
    ("LambdaLR", {"lr_lambda": "half"}, "model.scheduler can't be used: 'str' object is not callable"),
    ("MultiStepLR", {"milestones": [3, 5]}, None),
]


def partial(name, arguments):
    words = [f"{key}:{value}".replace(" ", "") for key, value in arguments.items()]
    return f"++model.scheduler={{{','.join([f'_target_:torch.optim.lr_scheduler.{name}', '_partial_:true', *words])}}}"


def preflight(*typed):
    return dry_run(OmegaConf.to_container(config("trainer=cpu", "callbacks=none", *typed), resolve=True)).error


@pytest.mark.parametrize(("typed", "said"), OPTIMISERS, ids=lambda part: str(part))
def test_optimisers_are_tried_before_a_sweep(typed, said):
    error = preflight(*typed)
    assert (said is None and error is None) or said in error, error


@pytest.mark.filterwarnings("ignore:.*cycle_momentum.*")
@pytest.mark.parametrize("model", ["vae", "gan"])
@pytest.mark.parametrize(("name", "arguments", "said"), SCHEDULES, ids=lambda part: str(part))
def test_schedules_are_tried_before_a_sweep(name, arguments, said, model):
    error = preflight(f"model={model}", partial(name, arguments))
    assert (said is None and error is None) or said in error, error


@pytest.mark.parametrize("model", ["vae", "gan"])
def test_an_optimiser_is_tried_before_there_is_data_and_trains_if_it_is_good(model, tmp_path):
    other = ("model.optimizer._target_=torch.optim.RMSprop", f"model={model}")
    result = type_in("train", *BARE, *other, "data=folder", "data.root=nowhere", cwd=tmp_path)
    assert_refused(result, "model.optimizer.fused: torch.optim.RMSprop got", "~model.optimizer.fused")
    less = ("~model.optimizer.fused", *(["~model.optimizer.betas"] if model == "gan" else []))
    cycle = partial("OneCycleLR", {"max_lr": 0.001, "total_steps": 2})
    result = type_in("train", *BARE, *other, *less, cycle, "trainer.max_epochs=2", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr


@pytest.mark.parametrize("model", ["vae", "gan"])
def test_a_schedule_that_ends_before_the_run_is_refused_before_the_first_step(model, tmp_path):
    cycle = partial("OneCycleLR", {"max_lr": 0.001, "total_steps": 2})
    said = refusal(*BARE, f"model={model}", cycle, "trainer.max_epochs=3", cwd=tmp_path)
    assert "model.scheduler.total_steps=2 is less than the 3 steps of this run" in said


def test_a_schedule_that_waits_for_a_metric_is_refused_by_the_command(tmp_path):
    result = type_in("train", *BARE, partial("ReduceLROnPlateau", {}), "data=folder", "data.root=nowhere", cwd=tmp_path)
    assert_refused(result, "model.scheduler=ReduceLROnPlateau is not possible: it waits for a metric")


@pytest.mark.slow
def test_the_preflight_of_a_sweep_finds_the_same(tmp_path):
    result = swept(*FEW, "data.flip=no,perhaps", "seed=0,abc", "sweep=s", cwd=tmp_path)
    assert result.returncode == 1
    assert "data.flip=perhaps is not possible: it must be true or false." in result.stdout
    assert f"seed=abc is not possible: {SEED}" in result.stdout
    assert "3 of 4 runs can't be built" in result.stderr
    assert "started" not in result.stdout


def test_a_configuration_is_not_changed_by_building_from_it():
    cfg = config("data.flip=no", "data.size='16'")
    assert build(cfg.data).flip is False
    assert (cfg.data.flip, cfg.data["size"]) == ("no", "16")


def test_an_older_configuration_with_texts_for_values_can_be_built():
    plain = OmegaConf.to_container(config("model.latent_dim='4'", "data.flip=no"), resolve=True)
    assert build(OmegaConf.create(plain).model).latent_dim == 4
    assert build(plain["data"]).flip is False
