"""From a loaded run to the files of an export."""

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Generator, Tensor
from torch.export import ExportedProgram

from genlab.conditioning import drawn_labels, given
from genlab.errors import UsageError
from genlab.export.card import model_card
from genlab.export.codes import write_codes
from genlab.export.facts import describe
from genlab.export.graph import load_functions, python_source, tensors, trace
from genlab.export.onnx import write_onnx
from genlab.files import write_bytes, write_json, write_text
from genlab.images import grid, save_picture
from genlab.protocols import LoadedRun, Reconstructs
from genlab.sampling import sampler

TOLERANCE = 1e-5  # of networks.py beside the model, absolute and relative
BATCHES = (1, 3)  # neither has the size that was traced
N_SAMPLES, N_COLUMNS = 64, 8


def write_export(run: LoadedRun, folder: Path, onnx: bool, codes: bool) -> None:
    """Write all of an export into an empty folder.

    Args:
        run: the trained model, on the CPU.
        folder: where to.
        onnx: whether to write ONNX files.
        codes: whether to write the codes of the data.

    Raises:
        UsageError: if the model can't be traced, or a file gives other results than it does.
    """
    model, has_encoder = run.model, isinstance(run.model, Reconstructs)
    noise, z, x = (_random(2, *shape) for shape in (model.noise_shape, model.latent_shape, model.image_shape))
    y = _labels(model, 2)
    programs = {"from_noise": trace(model, "from_noise", noise), "decode": trace(model, "decode", z, y)}
    if has_encoder:
        programs["encode"] = trace(model, "encode", x, y)
    n_numbers = _write_weights(programs, model, folder / "model.safetensors")
    facts = describe(run)
    names = model.condition.names if model.condition else None
    write_text(folder / "networks.py", python_source(programs, f"What a {facts['architecture']} computes.", names))
    check_networks(folder, model, list(programs))
    if onnx:
        write_onnx(programs["decode"], folder / "decoder.onnx", "codes", "images", model.decode, y)
        if has_encoder:
            write_onnx(programs["encode"], folder / "encoder.onnx", "images", "codes", model.encode, y)
    if codes:
        write_codes(model, run.datamodule, folder / "codes.npz")
    write_json(folder / "config.json", facts)
    shutil.copyfile(str(files("genlab.export") / "template" / "generate.py"), folder / "generate.py")
    with torch.no_grad():
        samples = sampler(model, run.datamodule, N_SAMPLES, Generator().manual_seed(0))(slice(N_SAMPLES))
        otherwise = has_encoder and not torch.allclose(
            model.reconstruct(x, **given(y)), model.decode(model.encode(x, **given(y)), **given(y)), atol=1e-4
        )
        has_own_prior = not torch.equal(model.from_noise(noise), noise)
    save_picture(grid(samples, N_COLUMNS), folder / "samples.png")
    written = [path.name for path in folder.iterdir()]
    more = {"has_encoder": has_encoder, "has_own_prior": has_own_prior, "reconstructs_otherwise": otherwise}
    write_text(folder / "README.md", model_card(facts, written, n_numbers=n_numbers, **more))


def _write_weights(programs: dict[str, ExportedProgram], model: Any, path: Path) -> int:
    """Write the tensors that traced methods use, and from which labels are drawn; return how many numbers that are."""
    weights = tensors(programs)
    if model.condition is not None:
        weights["labels"] = model.condition.known_labels.cpu().contiguous()
    write_bytes(path, save(weights, metadata={"format": "pt"}))  # `save_file` would keep others from reading it
    return sum(weight.numel() for weight in weights.values())


@torch.no_grad()
def check_networks(folder: Path, model: Any, methods: list[str]) -> None:
    """Compare what was written with the model, on random input; and the prior's codes with those it draws itself.

    Raises:
        UsageError: if a result differs by more than `TOLERANCE`.
    """
    weights, functions = load_file(folder / "model.safetensors"), load_functions(folder / "networks.py")
    shapes = {"encode": model.image_shape, "decode": model.latent_shape, "from_noise": model.noise_shape}
    for n in BATCHES:
        for method in methods:
            x = _random(n, *shapes[method])
            y = given(None if method == "from_noise" else _labels(model, n))
            made = functions[method](weights, x, **y)
            _compare(made, getattr(model, method)(x, **y), f"{type(model).__name__}.{method}")
        own = model.prior(n, Generator().manual_seed(n))
        noise = torch.randn(n, *model.noise_shape, generator=Generator().manual_seed(n))
        _compare(functions["from_noise"](weights, noise), own, f"{type(model).__name__}.prior")


def _compare(found: Tensor, expected: Tensor, what: str) -> None:
    if found.shape != expected.shape or not torch.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE):
        raise UsageError(
            f"{what} can't be exported, as its trace gives other values: it must not branch on values of tensors or on "
            "the size of a batch, and a prior that is not N(0, I) has a `from_noise`."
        )


def _labels(model: Any, n: int) -> Tensor | None:
    """Labels to try, where a model takes any: those that are drawn, the first one left out."""
    y = drawn_labels(model, n, Generator().manual_seed(0))
    return None if y is None else model.condition.without(y, torch.arange(n) == 0)


def _random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(0))
