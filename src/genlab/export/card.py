"""The model card, in the form that the Hugging Face hub reads."""

from collections.abc import Collection, Mapping
from itertools import chain
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

WHAT = {  # an export may hold
    "model.safetensors": "the weights that inference needs",
    "networks.py": "what the model computes, in plain PyTorch: {methods}",
    "generate.py": "draws images; loads the weights",
    "config.json": "shapes, scores, and the configuration it was trained with",
    "decoder.onnx": "ONNX: `codes` (B, {code}) to `images` (B, {channels}, {height}, {width})",
    "encoder.onnx": "ONNX: `images` (B, {channels}, {height}, {width}) to `codes` (B, {code})",
    "codes.npz": "codes and labels of the data: `train_codes`, `train_labels`, and so for `val` and `test`",
}
TASK = "unconditional-image-generation"


def model_card(facts: Mapping[str, Any], files: Collection[str], **more: Any) -> str:
    """Return the text of README.md.

    Args:
        facts: see `facts.describe`.
        files: names of those in the folder.
        more: `n_numbers` in the file of weights, `has_encoder`, `has_own_prior` (codes are not drawn from N(0, I)), and
            `reconstructs_otherwise` (the model's reconstruction is another image than its decoded code).
    """
    environment = Environment(
        loader=PackageLoader("genlab.export", "template"),
        autoescape=False,  # it is no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    title = f"{facts['architecture']} of {facts['data']['name']}"
    protocols = [score["protocol"] for score in facts["scores"]]
    told = ", y" if facts["labels"] else ""
    methods = ", ".join(
        [
            "`from_noise(weights, x)`",
            *(f"`{n}(weights, x{told})`" for n in ("decode", "encode")[: 1 + more["has_encoder"]]),
        ]
    )
    sides = dict(zip(("channels", "height", "width"), facts["image_shape"], strict=True))
    sides["code"] = ", ".join(map(str, facts["latent_shape"]))
    return environment.get_template("README.md.jinja").render(
        facts=facts,
        title=title,
        metadata=yaml.safe_dump(_metadata(facts, title, files), sort_keys=False, allow_unicode=True),
        shape=facts["image_shape"],
        files=[(name, what.format(**facts, **sides, methods=methods)) for name, what in WHAT.items() if name in files],
        fields=[field for field in dict.fromkeys(chain(*protocols)) if field != "metric"],
        **more,
    )


def _metadata(facts: Mapping[str, Any], title: str, files: Collection[str]) -> dict[str, Any]:
    """What the hub finds a model by, and the scores that it lists."""
    has_onnx = any(name.endswith(".onnx") for name in files)
    metadata: dict[str, Any] = {
        "library_name": "pytorch",
        "pipeline_tag": TASK,
        "tags": ["genlab", facts["architecture"].lower(), "safetensors", *(["onnx"] if has_onnx else [])],
    }
    if facts["scores"]:
        data = facts["data"]["name"]
        results = [
            {
                "task": {"type": TASK},
                "dataset": {"type": data, "name": data},
                "metrics": [{"type": score["name"], "name": score["name"], "value": score["value"]}],
            }
            for score in facts["scores"]
        ]
        metadata["model-index"] = [{"name": title, "results": results}]
    return metadata
