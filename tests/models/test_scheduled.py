"""What schedules change, and when."""

import pytest
from lightning.pytorch import Callback
from settings import config
from small_training import trained

from genlab.config.build import build
from genlab.errors import UsageError


def schedule(name: str, start: float, end: float, images: int = 64, kind: str = "Linear") -> str:
    return (
        f"+model.schedules.{name}={{_target_: genlab.schedules.{kind}, start: {start}, end: {end}, images: {images}}}"
    )


class Watch(Callback):
    """Notes numbers during each batch, which are four of 16 images."""

    def __init__(self, look) -> None:
        self.look, self.seen = look, []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.seen.append(self.look(pl_module))


def test_a_number_of_the_model_has_the_value_of_the_images_seen_before_each_batch():
    watch = Watch(lambda model: model.beta)
    trained("vae", schedule("beta", 0.0, 4.0), callbacks=[watch])
    assert watch.seen == [0.0, 1.0, 2.0, 3.0]


def test_all_optimisers_get_the_learning_rate_and_betas_and_one_player_its_own():
    def look(model):
        d, g = (wrapped.optimizer.param_groups[0] for wrapped in model.optimizers())
        return d["lr"], g["lr"], d["betas"], g["betas"]

    watch = Watch(look)
    rates = schedule("lr", 0.0, 0.4), schedule("generator_lr", 0.0, 0.004), schedule("beta2", 0.5, 0.9)
    trained("gan", *rates, callbacks=[watch])
    for i, (d_lr, g_lr, *betas) in enumerate(watch.seen):
        assert (d_lr, g_lr) == pytest.approx((0.1 * i, 0.001 * i))
        assert all(beta == pytest.approx((0.5, 0.5 + 0.1 * i)) for beta in betas)


def test_a_penalty_is_scheduled_by_its_name():
    watch = Watch(lambda model: model.objective.penalties["r1"].weight)
    trained("gan", "model/objective=r3gan", schedule("r1", 4.0, 0.0), callbacks=[watch])
    assert watch.seen == [4.0, 3.0, 2.0, 1.0]


def test_the_probability_of_an_augmentation_is_scheduled():
    watch = Watch(lambda model: model.augment.p)
    ada = ("model/augment=ada", "model.augment.target=null", schedule("augment", 0.0, 0.8))
    trained("gan", *ada, callbacks=[watch])
    assert watch.seen == pytest.approx([0.0, 0.2, 0.4, 0.6])


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ((schedule("gamma", 0, 1),), r"model.schedules 'gamma'.* Valid: beta, beta1, beta2, .*lr"),
        ((schedule("beta2", 0.9, 1.0),), "beta2 goes from 0.9 to 1.0, and it must stay from 0 to below 1"),
        ((schedule("beta", -1, 1),), "it must stay at least 0"),
        ((schedule("beta", 0, 1), "model=iwae"), r"model.schedules 'beta'.* Valid: beta1, beta2, condition_drop, lr"),
    ],
)
def test_what_can_not_be_scheduled_is_refused_before_training(typed, said):
    with pytest.raises(UsageError, match=said):
        build(config(*typed).model).configure_optimizers()


def test_two_schedules_of_one_learning_rate_are_refused():
    both = {"_target_": "torch.optim.lr_scheduler.ExponentialLR", "_partial_": True, "gamma": 0.9}
    cfg = config("model=vae", schedule("lr", 0.1, 0.2))
    cfg.model.scheduler = both
    with pytest.raises(UsageError, match=r"type model.scheduler=null, or ~model.schedules.lr"):
        build(cfg.model).configure_optimizers()


def test_a_loaded_model_has_the_number_of_the_images_that_it_has_seen():
    model = build(config("model=vae", schedule("beta", 0.0, 4.0)).model)
    model.on_load_checkpoint({"images_seen": 48})
    assert model.beta == 3.0
