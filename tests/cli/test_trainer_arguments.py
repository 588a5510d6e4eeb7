"""Lightning's own arguments: each can be typed without a plus, and works or names the key to type instead."""

import inspect
import json

import pytest
import torch
from lightning.pytorch import Trainer
from omegaconf import OmegaConf
from settings import config
from sweeping import FEW, swept
from typed import assert_refused, refusal, type_in

from genlab.commands.train import train
from genlab.commands.trainer_arguments import HARMLESS, INSTEAD, check_trainer, explain_refusals
from genlab.config.build import check_config
from genlab.errors import UsageError
from genlab.sweeps.dry_run import dry_run

SMALL = ("debug=fast", "data.limit=48", "data.batch_size=16", "trainer=cpu", "callbacks=summary")
T = (*SMALL, "hydra.run.dir=run")
NAMES = list(inspect.signature(Trainer).parameters)  # of the installed version
GPU = torch.cuda.is_available() or torch.backends.mps.is_available()


def checked(*typed):
    cfg = config("trainer=cpu", *typed)
    check_config(cfg)
    check_trainer(cfg)
    return cfg.trainer


def test_every_argument_of_lightnings_trainer_can_be_typed_without_a_plus():
    without = config(*[f"trainer.{name}=null" for name in NAMES]).trainer
    new = [name for name in NAMES if name not in config().trainer]
    assert new
    for typed in (without, config(*[f"+trainer.{name}=null" for name in new]).trainer):
        assert all(typed[name] is None for name in new)
    assert all(without[name] is None for name in NAMES)


def test_an_argument_that_lightning_does_not_know_is_refused_with_the_nearest_and_all_valid_ones():
    for typed in ("trainer.max_epoch=3", "+trainer.max_epoch=3"):
        with pytest.raises(UsageError, match="unexpected keyword argument 'max_epoch'") as error:
            checked(typed)
        assert "Did you mean 'max_epochs'?" in str(error.value)
        assert all(name in str(error.value) for name in NAMES)


ELSEWHERE = [  # for all models: what is typed, and the key to use instead
    ("overfit_batches=0.5", "trainer.overfit_batches=0.5 is not possible: it must be a whole number of at least 0."),
    ("precision=bf16-true", "trainer.precision=bf16-mixed"),
    ("precision=16-true", "trainer.precision=bf16-mixed"),
    ("precision=64-true", "trainer.precision=bf16-mixed"),
    ("precision=64", "trainer.precision=bf16-mixed"),
    ("precision=transformer-engine", "trainer.precision=bf16-mixed"),
    ("logger=true", "logger=tensorboard"),
    ("callbacks={_target_:lightning.pytorch.callbacks.Timer}", "+callbacks.NAME._target_=CLASS"),
    ("enable_checkpointing=false", "~callbacks.checkpoint"),
    ("enable_progress_bar=false", "~callbacks.progress"),
    ("default_root_dir=here", "hydra.run.dir=PATH"),
    ("use_distributed_sampler=true", "leave it out"),
    ("barebones=true", "callbacks=none"),
    ("strategy=fsdp", "trainer=ddp"),
    ("strategy=deepspeed", "trainer=ddp"),
    ("strategy=ddp_spawn", "trainer=ddp"),
    ("strategy={_target_:lightning.pytorch.strategies.FSDPStrategy}", "trainer=ddp"),
    ("num_nodes=2", "torchrun"),
    ("num_nodes=0", "trainer.num_nodes=0 is not possible"),
    ("devices=0", "trainer.devices=0 is not possible: "),
    ("devices=[0]", "should be an int > 0"),
    ("devices=-1", "should be an int > 0"),
    ("accumulate_grad_batches=0", "trainer.accumulate_grad_batches=0 is not possible"),
    ("gradient_clip_val=-1", "trainer.gradient_clip_val=-1 is not possible"),
    ("log_every_n_steps=-1", "trainer.log_every_n_steps=-1 is not possible: it must be a whole number of at least 0."),
    ("check_val_every_n_epoch=0", "trainer.check_val_every_n_epoch=0 is not possible"),
    ("val_check_interval=0", "trainer.val_check_interval=0 is not possible: it must be a whole number of at least 1."),
    ("profiler=fast", "There is no value of trainer.profiler 'fast'. Valid: advanced, pytorch, simple."),
]
BY_HAND = [  # for models that step several optimisers
    ("gradient_clip_val=1", "+model.clip.discriminator=1"),
    ("gradient_clip_algorithm=norm", "+model.clip.discriminator=1"),
    ("accumulate_grad_batches=4", "model.accumulate=4"),
]


@pytest.mark.skipif(GPU, reason="says what the CPU takes")
@pytest.mark.parametrize("model", ["vae", "gan"])
@pytest.mark.parametrize(("typed", "instead"), ELSEWHERE, ids=lambda part: part)
def test_an_argument_that_would_break_something_names_the_key_to_use_instead(typed, instead, model, monkeypatch):
    for name in ("MASTER_ADDR", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=r"trainer\.") as error:
        checked(f"model={model}", f"trainer.{typed}")
    assert instead in str(error.value)


@pytest.mark.parametrize(("typed", "instead"), BY_HAND, ids=lambda part: part)
def test_models_that_step_by_hand_have_keys_of_their_own(typed, instead):
    for model in ("gan", "aae", "aegan", "vaegan", "bigan"):
        with pytest.raises(UsageError, match=r"trainer\.") as error:
            checked(f"model={model}", f"trainer.{typed}")
        assert instead in str(error.value)
    checked("model=vae", f"trainer.{typed}")


def test_values_that_change_nothing_are_taken():
    parameters = inspect.signature(Trainer).parameters
    for name in INSTEAD.keys() & parameters.keys() - {"default_root_dir"}:
        value = HARMLESS.get(name, parameters[name].default)
        checked("model=gan", f"trainer.{name}={'null' if value is None else str(value).lower()}")
    checked("model=gan", "trainer.gradient_clip_val=0", "trainer.accumulate_grad_batches=1")
    checked("trainer.val_check_interval=0.5", "trainer.check_val_every_n_epoch=null", "trainer.log_every_n_steps=0")
    for precision in ("32", "32-true", "16-mixed", "bf16-mixed", "bf16", "null"):
        checked(f"trainer.precision={precision}")
    assert checked("trainer.strategy=ddp").strategy == {"_target_": "genlab.trainer.strategy.DDP"}
    assert checked("trainer.devices=2").strategy == {"_target_": "genlab.trainer.strategy.DDP"}
    assert checked("trainer.devices=auto").strategy == "auto"


def test_ddp_takes_options_of_pytorchs():
    checked("trainer=ddp", "+trainer.strategy.bucket_cap_mb=50", "+trainer.strategy.static_graph=true")
    with pytest.raises(UsageError, match=r"bucket_cap'.*It takes: bucket_cap_mb"):
        checked("trainer=ddp", "+trainer.strategy.bucket_cap=50")


def test_machines_that_have_been_started_together_may_be_several(monkeypatch):
    monkeypatch.setenv("MASTER_ADDR", "elsewhere")
    assert checked("trainer.num_nodes=2").strategy == {"_target_": "genlab.trainer.strategy.DDP"}


WORKS = [  # models, what is typed, and steps and epochs of the run
    (["vae"], ["+trainer.gradient_clip_val=1", "trainer.gradient_clip_algorithm=value"], (3, 1)),
    (["vae"], ["trainer.accumulate_grad_batches=2"], (2, 1)),
    (["gan"], ["trainer.limit_train_batches=2"], (2, 1)),
    (["vae"], ["trainer.limit_train_batches=0.4"], (1, 1)),
    (["vae", "gan"], ["trainer.min_epochs=2", "trainer.max_epochs=3", "trainer.detect_anomaly=yes"], (9, 3)),
    (["vae"], ["trainer.max_epochs=-1", "trainer.max_steps=4", "trainer.enable_model_summary=true"], (4, 2)),
    (["gan"], ["trainer.max_epochs=null", "trainer.max_steps=4", "trainer.min_steps=2"], (4, 2)),
    (
        ["vae", "gan"],
        [
            *("trainer.reload_dataloaders_every_n_epochs=1", "trainer.max_epochs=2", "trainer.max_time={minutes:5}"),
            *("trainer.inference_mode=true", "trainer.sync_batchnorm=true"),
        ],
        (6, 2),
    ),
    (["gan"], ["trainer.fast_dev_run=true"], (1, 1)),
    (["vae"], ["trainer.overfit_batches=2", "trainer.max_epochs=3"], (6, 3)),
]
ROWS = [(model, *row) for models, *row in WORKS for model in models]


def reached(run):
    summary = json.loads((run / "summary.json").read_text())
    return summary["status"], summary["steps"], summary["epochs"]


@pytest.mark.parametrize(("model", "typed", "ends"), ROWS, ids=lambda part: str(part))
def test_other_arguments_do_what_lightning_says(model, typed, ends, tmp_path):
    train(config(*SMALL, f"model={model}", *typed, run_dir=tmp_path))
    assert reached(tmp_path) == ("completed", *ends)


@pytest.mark.parametrize(  # which change the process
    "typed",
    [
        ["model=vae", "trainer.deterministic=true", "trainer.benchmark=false", "trainer.log_every_n_steps=0"],
        ["model=gan", "trainer.deterministic=true", "trainer.benchmark=false", "trainer.log_every_n_steps=0"],
        ["model=gan", "trainer.enable_autolog_hparams=false", "trainer.strategy=ddp", "trainer.plugins=[]"],
    ],
    ids=str,
)
def test_so_do_those_of_the_whole_process(typed, tmp_path):
    result = type_in("train", *T, *typed, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert reached(tmp_path / "run") == ("completed", 3, 1)


@pytest.mark.parametrize("name", ["simple", "advanced"])
def test_a_profile_lies_in_the_run_folder(name, tmp_path):
    result = type_in("train", *T, "model=gan", f"trainer.profiler={name}", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "training_step" in (tmp_path / "run" / "fit-profile.txt").read_text()
    assert "profiler: " + name in (tmp_path / "run" / "config.yaml").read_text()


@pytest.mark.slow
def test_several_processes_need_no_strategy(tmp_path):
    result = type_in("train", *T, "model=gan", "trainer.devices=2", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["images_seen"] == 32  # one step of two batches


TYPED = [
    (["model=gan", "+trainer.gradient_clip_val=1"], "trainer.gradient_clip_val=1 is not possible here: type +model."),
    (["trainer.max_time={secs:20}"], "trainer can't be made: 'secs' is an invalid keyword argument"),
    (["~trainer._target_"], "trainer has no _target_"),
    (["trainer.limit_train_batches=0.1"], "The trainer can't do this: You requested to check 0.1 of the `train_"),
]
REFUSED = [
    (["trainer.barebones=true"], "trainer.barebones=true is not possible here: type callbacks=none"),
    (["trainer.precision=bf16-true"], "Type trainer.precision=bf16-mixed; also possible: 32-true"),
    (["trainer.max_epochs=soon"], "trainer.max_epochs=soon is not possible: it must be null or a whole number."),
    (["trainer.max_epochs=-2"], "trainer can't be made: "),
    (["trainer.max_time=soon"], "trainer can't be made: "),
    (["trainer.accelerator=tpu"], "There is no value of trainer.accelerator 'tpu'."),
    (["trainer.num_nodes=2"], "trainer.num_nodes=2 needs as many machines"),
    (["trainer.gradient_clip_algorithm=cube"], "trainer can't be made: `gradient_clip_algorithm` cube is invalid."),
    (["trainer.limit_train_batches=1.5"], "trainer can't be made: "),
    (["trainer.val_check_interval=9"], "trainer.val_check_interval is more than the batches of an epoch"),
]


@pytest.mark.parametrize(("typed", "said"), TYPED, ids=lambda part: str(part))
def test_what_is_refused_ends_the_command_with_one_sentence(typed, said, tmp_path):
    result = type_in("train", *T, *typed, cwd=tmp_path, seconds=60)
    assert_refused(result, said)
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize(("typed", "said"), REFUSED, ids=lambda part: str(part))
def test_other_rows_of_that_table_have_their_sentences(typed, said, tmp_path):
    assert said in refusal(*SMALL, *typed, cwd=tmp_path)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [  # in the words of PyTorch and Lightning, on a GPU
        ("max_unpooling2d_forward_out does not have a deterministic implementation", "type trainer.deterministic=warn"),
        (
            "The current optimizer, Adam, does not allow for gradient clipping because it",
            "type model.optimizer.fused=f",
        ),
    ],
)
def test_what_shows_within_a_step_is_answered_with_what_to_type(error, remedy):
    with pytest.raises(UsageError) as caught, explain_refusals():
        raise RuntimeError(error)
    assert remedy in str(caught.value)
    with pytest.raises(RuntimeError, match=r"^shapes differ$"), explain_refusals():
        raise RuntimeError("shapes differ")


@pytest.mark.slow
def test_a_resumed_run_takes_them_without_a_plus_as_well(tmp_path):
    assert type_in("train", *T, "callbacks=[summary,checkpoint]", cwd=tmp_path).returncode == 0
    more = ("resume=run", "trainer.max_epochs=2.0")
    assert_refused(type_in("train", *more, "trainer.gradient_clip=1", cwd=tmp_path), "keyword argument 'gradient_clip'")
    assert_refused(type_in("train", *more, "trainer.barebones=true", cwd=tmp_path), "callbacks=none")
    result = type_in("train", *more, "trainer.gradient_clip_val=1", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["epochs"] == 2


@pytest.mark.slow
def test_the_preflight_of_a_sweep_finds_the_same(tmp_path):
    arguments = ("model=vae,gan", "trainer.gradient_clip_val=1")
    result = swept(*FEW, *arguments, "sweep=s", cwd=tmp_path)
    assert "trainer.gradient_clip_val=1 is not possible here: type +model.clip.discriminator=1" in result.stdout
    assert "1 of 2 runs can't be built" in result.stderr
    resolved = OmegaConf.to_container(config("trainer=cpu", "model=vae", "trainer.gradient_clip_val=1"), resolve=True)
    assert dry_run(resolved).error is None
