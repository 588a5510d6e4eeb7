"""ONNX files, each checked against the model that it was made of."""

import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.export import ExportedProgram

from genlab.conditioning import given
from genlab.errors import UsageError, one_line

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-4  # of ONNX Runtime's results, absolute and relative
BATCHES = (1, 3)  # neither has the size that was traced


def check_packages() -> None:
    """Raise a UsageError unless what writes and checks ONNX files is installed."""
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise UsageError(
            f'ONNX files need the package {missing[0]}, which is not installed: type pip install -e ".[export]", or '
            "onnx=false to leave them out."
        )


def write_onnx(
    program: ExportedProgram,
    path: Path,
    x: str,
    out: str,
    original: Callable[..., Tensor],
    labels: Tensor | None = None,
) -> None:
    """Write a traced method, with batches of any size, and compare it with the original on random input.

    Args:
        program: maps one tensor (B, ...) to another.
        path: the file.
        x, out: names of its input and output.
        original: what was traced.
        labels: some (B,) or (B, entries), if it takes any: a second input of that name.

    Raises:
        UsageError: if PyTorch or ONNX Runtime can't do it, or if the results differ by more than `TOLERANCE`.
    """
    for name in ("onnxscript", "onnx_ir"):  # which tell of each operation that they leave out
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        names = [x] if labels is None else [x, "labels"]
        made = torch.onnx.export(program, dynamo=True, input_names=names, output_names=[out], verbose=False)
        assert made is not None
        made.save(path)
        difference = _difference(program, path, original, labels)
    except Exception as error:  # of any of three packages
        raise UsageError(
            f"{path.name} can't be written ({one_line(error)}): type onnx=false to leave it out."
        ) from error
    if not difference <= TOLERANCE:
        raise UsageError(
            f"{path.name} gives results that are {difference:.1g} off, and {TOLERANCE:g} may be: type onnx=false to "
            "leave it out."
        )


@torch.no_grad()
def _difference(program: ExportedProgram, path: Path, original: Callable[..., Tensor], labels: Tensor | None) -> float:
    """The largest difference between the file's results and the original's, relative where these are above 1."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (example, *_), _ = program.example_inputs
    largest = 0.0
    for n in BATCHES:
        x = torch.randn(n, *example.shape[1:], generator=Generator().manual_seed(n))
        y = None if labels is None else labels[torch.arange(n) % len(labels)]
        expected = original(x, **given(y))
        values = [x.numpy(), *([] if y is None else [y.numpy()])]
        inputs = {spec.name: value for spec, value in zip(session.get_inputs(), values, strict=True)}
        (found,) = session.run(None, inputs)
        off = (torch.from_numpy(found) - expected).abs() / expected.abs().clamp(min=1)
        largest = max(largest, off.max().item())
    return largest
