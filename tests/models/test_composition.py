"""Likelihoods, compilation and pooling, as models use them."""

import pytest
import torch
from settings import TINY, config, options

from genlab.config.build import build
from genlab.errors import UsageError

OTHERS = ("klgan", "vqgan", "vqvae", "drifting")


def fitted(*overrides: str):
    cfg = config(*TINY, *overrides)
    torch.manual_seed(0)
    model = build(cfg.model)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    build(cfg.trainer, **quiet).fit(model, build(cfg.data))
    return model


@pytest.mark.parametrize("likelihood", options("model/likelihood"))
@pytest.mark.parametrize("name", ["vae", "iwae"])
def test_every_likelihood_trains_and_samples_images(name, likelihood):
    model = fitted(f"model={name}", f"model/likelihood={likelihood}", "data.binarize=dynamic", "trainer.max_steps=2")
    with torch.no_grad():
        images = model.sample(4, torch.Generator().manual_seed(0))
    assert images.shape == (4, 1, 28, 28)
    assert images.abs().max() <= 1
    assert torch.isfinite(model.terms["loss"])


def test_a_learned_sigma_is_moved_by_training():
    model = fitted("model/likelihood=gaussian_learned")
    initial = build(config("model/likelihood=gaussian_learned").model)
    (before, after) = (dict(m.likelihood.named_parameters()) for m in (initial, model))
    assert before
    assert all(not torch.equal(before[name], after[name]) for name in before)


def test_a_bernoulli_likelihood_on_grey_images_is_warned_of_once(caplog):
    fitted("model/likelihood=bernoulli")
    assert caplog.text.count("data.binarize=dynamic") == 1
    caplog.clear()
    fitted("model/likelihood=bernoulli", "data.binarize=dynamic")
    assert "binarize" not in caplog.text


def test_kept_indices_travel_beside_the_code_and_change_the_reconstruction(generator):
    pooling = ("model=ae", "model/encoder=pooling", "model/decoder=pooling", "model.encoder.width=8")
    torch.manual_seed(0)
    model = build(config(*pooling, "model.decoder.width=8").model).eval()
    x = torch.randn(4, 1, 28, 28, generator=generator)
    assert model.passes_indices
    assert not torch.allclose(model.reconstruct(x), model.decode(model.encode(x)))
    other = build(config(*pooling, "model.decoder.width=16").model)
    with pytest.raises(UsageError, match=r"model\.encoder\.width.*model\.decoder\.width"):
        other.reconstruct(x)


def test_where_the_encoder_does_not_pool_nothing_travels_beside_the_code(generator):
    model = build(config("model=ae", "model/decoder=pooling").model).eval()
    x = torch.randn(4, 1, 28, 28, generator=generator)
    assert not model.passes_indices
    assert torch.equal(model.reconstruct(x), model.decode(model.encode(x)))


def test_a_gan_with_unpooling_that_keeps_indices_is_refused():
    unpooling = "model.generator.unpooling={_target_: genlab.networks.MaxUnpooling, _partial_: true}"
    with pytest.raises(UsageError, match=r"model\.generator\.unpooling.*no encoder"):
        build(config("model=gan", "model/generator=pooling", unpooling).model)


@pytest.mark.filterwarnings("ignore:.*grad attribute of a Tensor.*")  # dynamo looks at it while it traces
@pytest.mark.parametrize("name", ["vae", "gan", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_compiling_gives_the_same_training(name, monkeypatch):
    """By a backend that makes graphs of both directions and runs them as they are, for speed.

    R1's second derivatives take the uncompiled D. D of a first stage joins when its networks are compiled already.
    """
    compile_module = torch.nn.Module.compile
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda self, mode: compile_module(self, mode=mode, backend="aot_eager")
    )
    typed = {"gan": ["model/objective=r1"], "klgan": ["model.d_start=1"], "vqgan": ["model.d_start=1"]}.get(name, [])
    plain, compiled = (
        fitted(f"model={name}", *typed, f"model.compile={value}", "trainer.max_steps=2") for value in (False, True)
    )
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(value, compiled.state_dict()[key], atol=1e-6, rtol=1e-4, msg=key)
    calls = [network._compiled_call_impl is not None for network in compiled.children()]
    assert any(calls)


def test_a_mode_of_the_compiler_is_handed_on_and_told_of_each_step(monkeypatch):
    modes, steps = [], []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda _, mode: modes.append(mode))
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: steps.append(1))
    fitted("model=gan", "model.compile=reduce-overhead", "trainer.max_steps=2")
    assert (modes, steps) == (["reduce-overhead"] * 2, [1] * 2)


def test_channels_last_is_a_matter_of_memory_alone():
    networks = ("model/encoder=conv", "model/decoder=conv")
    plain, last = (
        fitted("model=vae", *networks, f"model.channels_last={value}", "trainer.max_steps=2") for value in (False, True)
    )
    for one, other in zip(plain.parameters(), last.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)
    convolution = next(m for m in last.encoder.modules() if isinstance(m, torch.nn.Conv2d) and m.in_channels > 1)
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_warm_up_starts_without_the_kl_term(generator):
    model = build(config("model=vae", "model.warm_up=1000").model)
    x = torch.randn(4, 1, 28, 28, generator=generator)
    terms = model.losses(x, kl_weight=0.0)
    torch.testing.assert_close(terms["loss"], terms["nll"])
    assert terms["kl"] > 0


def test_free_bits_change_the_loss_and_not_the_kl_that_is_reported(generator):
    plain, free = (build(config("model=vae", f"model.free_bits={nats}").model) for nats in (0.0, 5.0))
    free.load_state_dict(plain.state_dict())
    x = torch.randn(4, 1, 28, 28, generator=generator)
    first, second = (model.losses(x, torch.Generator().manual_seed(0)) for model in (plain, free))
    torch.testing.assert_close(first["kl"], second["kl"])
    torch.testing.assert_close(second["loss"], second["nll"] + 16 * 5.0)  # each of 16 entries is below 5 nats


def test_a_corrupted_image_is_encoded_and_the_clean_one_reconstructed(generator):
    model = build(config("model=dae").model)
    model.noise = generator
    x = torch.zeros(500, 1, 28, 28)
    assert model.corrupted(x).std().item() == pytest.approx(0.5, rel=0.01)
    plain = build(config("model=ae").model)
    assert plain.corrupted(x) is x
