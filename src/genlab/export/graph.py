"""What a model computes, traced, and written as Python that needs torch alone.

Each method that inference needs is traced by `torch.export`, and its operations are written down as a Python function
of a dictionary of weights, which lie in `model.safetensors`. Why so, and not otherwise:

- `torch.export.save` (`.pt2`) and TorchScript hold pickles or weights of their own, and the latter is deprecated;
- the classes of `genlab.networks` would have to be copied, with all that they import, and kept in step with new ones;
- ONNX needs another package to run, and has no gradients.

A trace works for any network of anybody, in a few plain lines that can be read, changed, trained further and compiled.
"""

import operator
import runpy
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import InputKind

from genlab.conditioning import given
from genlab.errors import UsageError, one_line

ASSERTIONS = (torch.ops.aten._assert_tensor_metadata.default,)  # that a tensor is where it was traced

HEADER = '''"""{title}

Made by genlab from the operations of PyTorch {version}. `weights` are the tensors of model.safetensors, by their names.
"""

from math import inf, nan  # noqa: F401

import torch
from torch import device  # noqa: F401

aten = torch.ops.aten
'''

UNTOLD = '''def labels(weights, n, asked, generator):
    """Nothing: the model takes no labels."""
    return []
'''


class Method(nn.Module):
    """One of a model's methods as a module, which is what PyTorch traces."""

    def __init__(self, model: nn.Module, name: str) -> None:
        super().__init__()
        self.model, self.name = model, name

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map what the method maps, (B, ...), with labels where it takes any."""
        return getattr(self.model, self.name)(x, **given(y))


@torch.no_grad()
def trace(model: nn.Module, method: str, example: Tensor, y: Tensor | None = None) -> ExportedProgram:
    """Trace a method from tensor (B, ...) to tensor (B, ...), for batches of any size; with labels if it takes any.

    Raises:
        UsageError: if PyTorch can't, as where Python branches on the values of a tensor.
    """
    try:
        inputs = {"x": example, **given(y)}
        shapes = {name: {0: Dim.DYNAMIC} for name in inputs}
        return torch.export.export(Method(model, method), tuple(inputs.values()), dynamic_shapes=shapes, strict=False)
    except Exception as error:  # of any part of PyTorch's compiler
        raise UsageError(
            f"{type(model).__name__}.{method} can't be exported, as torch.export can't trace it: {one_line(error)}"
        ) from error


def tensors(programs: Mapping[str, ExportedProgram]) -> dict[str, Tensor]:
    """The tensors that traced methods use, by the names that the written functions know them by."""
    found: dict[str, Tensor] = {}
    for method, program in programs.items():
        values, inputs = {**program.constants, **program.state_dict}, _inputs(method, program)
        used = (inputs[node.name] for node in program.graph.nodes if node.name in inputs and node.users)
        found |= {own: values[name].detach().cpu().clone().contiguous() for name, own in used}
    return found


def python_source(programs: Mapping[str, ExportedProgram], title: str, names: Sequence[str] | None = None) -> str:
    """A Python module with a function `METHOD(weights, x)`, or `METHOD(weights, x, y)`, for each traced method.

    Besides a function `labels` draws what a conditional model is told, whose labels have these names.
    """
    header = HEADER.format(title=title, version=torch.__version__.partition("+")[0])
    template = (files("genlab.export") / "template" / "labels.py").read_text(encoding="utf-8")
    drawn = UNTOLD if names is None else template.replace("NAMES = []", f"NAMES = {list(names)!r}")
    functions = [_function(method, program) for method, program in programs.items()]
    return "\n\n".join([header, *functions, drawn.removeprefix("import torch\n\n")])


def load_functions(path: Path) -> dict[str, Any]:
    """The functions of a module that `python_source` has written."""
    return runpy.run_path(str(path))


def _inputs(method: str, program: ExportedProgram) -> dict[str, tuple[str, str]]:
    """The tensors among a graph's inputs, by their names in it: their names in the program, and in the folder."""
    named = [
        (spec.arg.name, spec.target)
        for spec in program.graph_signature.input_specs
        if spec.kind != InputKind.USER_INPUT and spec.target is not None
    ]
    return {
        name: (target, target.removeprefix("model.") if target.startswith("model.") else f"{method}.{target}")
        for name, target in named
    }


def _function(method: str, program: ExportedProgram) -> str:
    """The source of a traced method: its graph, with tensors that are looked up in place of inputs."""
    inputs, graph = _inputs(method, program), fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    weights = graph.placeholder("weights")
    for node in program.graph.nodes:
        if node.op == "output":
            graph.output(copies[node.args[0][0]])
        elif node.name not in inputs:
            if node.target not in ASSERTIONS:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        elif node.users:
            own = inputs[node.name][1]
            copies[node] = graph.create_node(
                "call_function", operator.getitem, (weights, own), name=own.replace(".", "_")
            )
    graph.eliminate_dead_code()
    source = graph.python_code("self").src.strip().replace("torch.ops.aten.", "aten.")
    return source.replace("def forward(self, weights, x", f"def {method}(weights, x") + "\n"
