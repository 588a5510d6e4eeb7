"""Numbers within bounds: what lies outside is refused by its whole key, before anything is built."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest
from omegaconf import DictConfig, OmegaConf
from settings import config, options

from genlab.bounds import AtLeastTwo, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Share
from genlab.config.arguments import arguments_of
from genlab.config.build import check_config
from genlab.config.values import convert
from genlab.errors import UsageError


@pytest.mark.parametrize(
    ("kind", "inside", "outside", "said"),
    [
        (PositiveInt, [1, 7, "3"], [0, -1, 1.5, "two", True, None], "a whole number of at least 1"),
        (NonNegativeInt, [0, 2], [-1, 0.5], "a whole number of at least 0"),
        (AtLeastTwo, [2], [1], "a whole number of at least 2"),
        (PositiveFloat, [1e-9, 3], [0, -0.1, "wide", float("nan"), float("inf")], "a finite number above 0"),
        (NonNegativeFloat, [0, 0.5], [-1e-9, "much"], "a finite number of at least 0"),
        (Share, [0, 0.5, 1], [-0.1, 1.1, "some"], "a finite number from 0 to 1"),
        (PositiveInt | None, [1, None], [0], "null or a whole number of at least 1"),
    ],
)
def test_a_number_outside_of_its_bounds_is_refused_with_them(kind, inside, outside, said):
    for value in inside:
        assert convert("key", value, kind) == (int(value) if isinstance(value, str) else value)
    for value in outside:
        with pytest.raises(UsageError, match=rf"^key=\S+ is not possible: it must be {said}\.$"):
            convert("key", value, kind)


@pytest.mark.parametrize(
    "overrides",
    [
        "model=vae model.latent_dim=0",
        "model=vae model.beta=0",
        "model=vae model.free_bits=-1",
        "model=vae model.warm_up=-1",
        "model=vae model.likelihood.sigma=0",
        "model=vae model/likelihood=laplace model.likelihood.scale=-1",
        "model=iwae model.n_importance=0",
        "model=dae model.corruption=-1",
        "model=wae model.mmd_weight=-1",
        "model=vaegan model.gamma=0",
        "model=aegan model.adversarial_weight=-2",
        "model=bigan model.n_features=0",
        "model=gan model.d_steps=0",
        "model=gan model.accumulate=0",
        "model=gan +model.clip.generator=0",
        "model=gan +model.learning_rates.generator=-1",
        "model=gan model/objective=r1 model.objective.penalties.r1.weight=0",
        "model=gan model/objective=r1 model.objective.penalties.r1.every=0",
        "model=gan model/objective=dragan model.objective.penalties.dragan.noise=0",
        "model=gan model/augment=diffaugment model.augment.policies.colour.brightness=1.1",
        "model=gan model/augment=diffaugment model.augment.policies.cutout.ratio=-0.1",
        "model=gan model.generator.width=0",
        "model=gan model.discriminator.max_width=2.5",
        "model=gan model/discriminator=resnet model.discriminator.depth=0",
        "model=gan model/discriminator=resnet model.discriminator.depth=1001",
        "model=gan model/discriminator=resnet model.discriminator.coarsest=0",
        "model=gan model/discriminator=mlp model.discriminator.depth=-1",
        "model=gan model/generator=r3 model.generator.group_size=0",
        "data.batch_size=0",
        "data.size=7",
        "data.size=513",
        "data.random_crop=7",
        "data.random_crop=1025",
        "model.downsample=1",
        "model=ae model.downsample=4 model.latent_channels=0",
        "data.limit=0",
        "data.num_workers=-1",
        "data=shapes data.source.n_images=9",
        "data=folder data.root=x data.val_share=1.5",
        "data=folder data.root=x data.test_share=-0.1",
        "data=folder data.root=x data.max_rejects=2",
        "data=folder data.root=x data.crop=0",
        "data=folder data.root=x data.white_level=0",
        "data=folder data.root=x data.max_pixels=true",
        "callbacks.frechet.n_samples=1",
        "callbacks.frechet.batch_size=0",
        "callbacks.frechet.every_n_epochs=0",
        "callbacks.samples.n_rows=0",
        "callbacks.health.n_samples=1",
        "callbacks.health.grace=-1",
        "callbacks.health.patience=0",
        "callbacks.health.stop_after=0",
        "callbacks.health.min_gradient=-1",
        "callbacks.guard.max_skips=0",
        "callbacks.checkpoint.every_n_epochs=0",
        "callbacks.checkpoint.every_n_steps=0",
        "callbacks.checkpoint.every_minutes=0",
        "callbacks.checkpoint.keep=-1",
        "callbacks.ema.half_life=0",
    ],
)
def test_an_impossible_number_is_refused_by_its_key(overrides):
    typed = overrides.split()
    with pytest.raises(UsageError, match=f"^{typed[-1].lstrip('+')} is not possible"):
        check_config(config(*typed))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ("data.channels=2", "data.channels '2'. Valid: 1, 3."),
        ("data.binarize=yes", "data.binarize 'yes'. Valid: dynamic, fixed, null."),
        ("data=folder data.root=x data.fit=cove", "data.fit 'cove'. Did you mean 'cover'?"),
        ("data=folder data.root=x data.filter=cubic", "data.filter 'cubic'. Did you mean 'bicubic'?"),
        ("data=folder data.root=x data.crop=middle", "data.crop=middle is not possible"),
        ("data=folder data.root=x data.crop=[1,2,3]", "data.crop=[1,2,3] is not possible: it is a list of 2 or 4."),
        (
            "model.latent_shape=[4,0,8]",
            "model.latent_shape[1]=0 is not possible: it must be a whole number of at least 1.",
        ),
        ("model.latent_shape=64", "model.latent_shape=64 is not possible: it must be null or a list."),
        ("callbacks.guard.on_nonfinite=skipp", "'skipp'. Did you mean 'skip'? Valid: skip, stop."),
    ],
)
def test_what_is_no_choice_is_answered_with_those_that_there_are(overrides, said):
    with pytest.raises(UsageError) as error:
        check_config(config(*overrides.split()))
    assert said in str(error.value)


def numbers(node: Any) -> Iterator[tuple[str, str]]:
    """Every bounded number in a configuration: its key, and a value below its bound."""
    if isinstance(node, DictConfig):
        kinds = arguments_of(node).kinds if "_target_" in node else {}
        for name, kind in kinds.items():
            bounded = [k for k in (kind, *get_args(kind)) if get_origin(k) is Annotated]
            if bounded and name in node and not OmegaConf.is_interpolation(node, name):
                yield node._get_full_key(name), "-1"
        for name in node:
            if not OmegaConf.is_interpolation(node, name):
                yield from numbers(node[name])


@pytest.mark.slow
@pytest.mark.parametrize("group", ["model", "data"])
def test_every_bounded_number_of_every_configuration_is_refused_below_its_bound(group):
    seen = set()
    for name in options(group):
        typed = [f"{group}={name}"]
        typed += [f"data.{key}=x" for key in ("root", "path") if OmegaConf.is_missing(config(*typed).data, key)]
        for key, value in numbers(config(*typed)):
            if key not in seen:
                seen.add(key)
                with pytest.raises(UsageError, match=f"^{key}={value} is not possible"):
                    check_config(config(*typed, f"{key}={value}"))
    assert len(seen) > 10
