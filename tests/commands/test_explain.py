"""`eval.py explain=A,B`: planted differences of two scores are found again."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from layouts import photographs
from omegaconf import OmegaConf
from photos import put_photos
from PIL import Image
from settings import config

import genlab.metrics
from genlab.commands import evaluate as command
from genlab.commands.explain import Row, explain, read_scores
from genlab.commands.prior import fit_prior
from genlab.errors import UsageError
from genlab.evaluation import Evaluation
from genlab.files import write_json

PLANTED = {  # field: what is typed for the second score
    "split": "metrics.reference=val",
    "n_real": "data.limit=20",
    "n_fake": "metrics.n_samples=20",
    "size": "data.size=12",
    "channels": "data.channels=3",
    "crop": "data.crop=[20,16]",
    "fit": "data.fit=stretch",
    "filter": "data.filter=nearest",
    "binarize": "data.binarize=fixed",
    "encoder": "features._target_=genlab.metrics.Blurred",
    "seed": "seed=1",
    "weights": "weights=raw",
    "prior": "prior=gaussian",
}
QUICK = ("n_real", "encoder", "weights")


class Blurred(genlab.metrics.EfficientNetLite0):
    """Another encoder: it sees a quarter of the pixels."""

    metric = "fd_blurred"

    def __init__(self) -> None:
        super().__init__()
        self.name = "blurred"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images[:, :, ::2, ::2])


Blurred.__module__ = "genlab.metrics"


class Lab:
    """Scores of one model beside photographs, and what explains their differences."""

    def __init__(self, checkpoint: dict[str, Any], root: Path) -> None:
        self.checkpoint, self.root, self.n = checkpoint, root, 0
        self.machine = ["trainer=cpu", f"paths.data_dir={root}", "cache_dir="]
        self.found: dict[tuple[str, ...], tuple[Path, float]] = {}
        put_photos(root / "photos")
        self.data = ["data=folder", f"data.root={root}/photos", "data.name=photos", "data.channels=1", "data.size=28"]
        self.data += ["data.decode_workers=0", "data.val_share=0.45"]

    def path(self, name: str) -> Path:
        self.n += 1
        return self.root / f"{self.n}_{name}"

    def run(self, *typed: str) -> Path:
        """A checkpoint of the model, as if it had been trained on photographs."""
        cfg = config(*self.data, f"paths.data_dir={self.root}", *typed)
        data: Any = OmegaConf.to_container(cfg.data, resolve=True)
        path = self.path("run.ckpt")
        torch.save(self.checkpoint | {"config": self.checkpoint["config"] | {"data": data}}, path)
        return path

    def score(self, *typed: str) -> tuple[Path, float]:
        """The folder and the score of an evaluation of the model, what is typed of data being that of its run."""
        if typed not in self.found:
            of_data = [word for word in typed if word.startswith("data.")]
            self.found[typed] = self.evaluate(f"run={self.run(*of_data)}", *(w for w in typed if w not in of_data))
        return self.found[typed]

    def evaluate(self, *typed: str) -> tuple[Path, float]:
        folder = self.path("eval")
        (found,) = self.evaluations(folder, *typed)
        (measured,) = found.measurements.values()
        return folder, measured.value

    def evaluations(self, folder: Path, *typed: str) -> list[Evaluation]:
        without = [f"~metrics.measures.{m}" for m in ("sharpness", "diversity", "losses", "reconstruction", "codes")]
        n = [] if any("n_samples" in word for word in typed) else ["metrics.n_samples=40"]
        typed = ("metrics=quick", *without, *n, *self.machine, *typed)
        return command.evaluate(config(*typed, run_dir=folder, name="eval"))

    def images(self, name: str, seed: int, **options: Any) -> tuple[Path, float]:
        """The same of 40 noisy images in a folder."""
        folder = self.path("images")
        folder.mkdir()
        noise = np.random.default_rng(seed).normal(0, 25, (40, 28, 28))
        grey = photographs(40, 28, 28, seed).mean(3) + noise
        for number, image in enumerate(grey.clip(0, 255).astype(np.uint8)):
            Image.fromarray(image).save(folder / f"{number:02d}.{name}", **options)
        return self.evaluate(f"images={folder}", *self.data)

    def explain(self, a: Any, b: Any) -> list[Row]:
        out = self.path("explained")
        cfg = config(f"explain=[{a},{b}]", *self.machine, run_dir=out, name="eval")
        rows = explain(*read_scores(cfg), cfg, torch.device("cpu"))
        assert (out / "explanation.csv").read_text().startswith("field,a,b,score,effect\n")
        return rows


@pytest.fixture(scope="module")
def lab(vae_run, tmp_path_factory):
    checkpoint = torch.load(vae_run.path / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["ema"] = {name: 0.8 * value for name, value in checkpoint["ema"].items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "draw", lambda *_: None)
        patch.setattr(genlab.metrics, "Blurred", Blurred, raising=False)
        found = Lab(checkpoint, tmp_path_factory.mktemp("lab"))
        fit_prior(config(f"run={found.run()}", "prior=gaussian", name="prior"))
        yield found


@pytest.mark.parametrize("field", [f if f in QUICK else pytest.param(f, marks=pytest.mark.slow) for f in PLANTED])
def test_a_planted_difference_is_named_and_its_effect_is_that_of_planting_it_alone(field, lab):
    (a, first), (b, second) = lab.score(), lab.score(PLANTED[field])
    assert abs(second - first) > 1e-3 * first
    (row,) = lab.explain(a, b)
    assert row.field == field
    assert row.a != row.b
    assert row.effect == pytest.approx(second - first, rel=0.2)
    assert row.score == pytest.approx(second, rel=1e-3)


@pytest.mark.slow
def test_all_at_once_are_named_in_order_and_their_effects_sum_to_the_difference(lab, capsys):
    planted = [field for field in PLANTED if field != "prior"]  # which was fitted to the averaged weights
    (a, first), (b, second) = lab.score(), lab.score(*(PLANTED[field] for field in planted))
    rows = lab.explain(a, b)
    assert [row.field for row in rows] == planted
    assert sum(row.effect for row in rows) == pytest.approx(second - first, rel=1e-3)
    assert f"{second - first:+.4g}" in capsys.readouterr().out
    for row, before in zip(rows[1:], rows, strict=False):
        assert row.effect == pytest.approx(row.score - before.score)


@pytest.mark.slow
def test_coding_as_jpeg_is_told_from_other_images_whichever_side_it_is_on(lab):
    plain, coded, others = lab.images("png", 0), lab.images("jpg", 0, quality=10), lab.images("jpg", 1, quality=10)
    effect = coded[1] - plain[1]
    assert abs(effect) > 0.02 * plain[1]
    for a, b, sign in ((plain, coded, 1), (coded, plain, -1)):
        (row,) = lab.explain(a[0], b[0])
        assert (row.field, row.effect) == ("JPEG", pytest.approx(sign * effect, rel=0.01))
    for a, b, order in ((plain, others, ["JPEG", "images"]), (others, plain, ["images", "JPEG"])):
        rows = {row.field: row for row in lab.explain(a[0], b[0])}
        assert list(rows) == order
        assert abs(rows["JPEG"].effect) == pytest.approx(abs(effect), rel=0.2)
        assert sum(row.effect for row in rows.values()) == pytest.approx(b[1] - a[1], rel=1e-3)


def test_of_one_protocol_only_the_models_differ(lab):
    (a, first), other = lab.score(), dict(lab.checkpoint, ema={k: 0.5 * v for k, v in lab.checkpoint["ema"].items()})
    b, second = lab.evaluate(f"run={_saved(other, lab)}")
    (row,) = lab.explain(a, b)
    assert (row.field, row.effect) == ("model", pytest.approx(second - first, rel=1e-3))


def _saved(checkpoint: dict[str, Any], lab: Lab) -> Path:
    mine, lab.checkpoint = lab.checkpoint, checkpoint
    try:
        return lab.run()
    finally:
        lab.checkpoint = mine


def test_what_the_first_model_can_not_have_changes_with_the_model(lab, tmp_path):
    elsewhere = tmp_path / "run.ckpt"  # no prior was fitted beside it
    shutil.copy(lab.run(), elsewhere)
    (row,) = lab.explain(lab.evaluate(f"run={elsewhere}")[0], lab.score(PLANTED["prior"])[0])
    assert row.field == "model, prior"


def test_the_score_of_training_and_that_of_an_evaluation_are_told_apart(vae_run, lab):
    b, second = lab.evaluate(f"run={vae_run.path}", "metrics.n_samples=20")
    rows = lab.explain(vae_run.path, b)
    assert [row.field for row in rows] in (["n_fake"], ["n_fake", "model"])  # best.ckpt may be that of an epoch before
    assert (rows[0].a, rows[0].b) == (32, 20)
    assert sum(row.effect for row in rows) == pytest.approx(second - vae_run.score, rel=1e-3)


def test_what_is_not_reproduced_is_said(lab, tmp_path, capsys):
    (stored,) = json.loads((lab.score()[0] / "evaluation.json").read_text())
    (score,) = stored["metrics"].values()
    score["value"] *= 2
    score["protocol"]["library"] = "another one"
    write_json(tmp_path / "evaluation.json", [stored])
    (row,) = lab.explain(lab.score()[0], tmp_path)
    assert (row.field, row.effect) == ("not reproduced", pytest.approx(lab.score()[1], rel=1e-3))
    lab.explain(tmp_path, lab.score()[0])
    assert "library was another one and is efficientnet-lite-pytorch" in " ".join(capsys.readouterr().out.split())


def test_a_refused_comparison_offers_what_explains_it(lab):
    runs, out = (lab.run(), lab.run(PLANTED["n_real"])), lab.path("refused")
    with pytest.raises(UsageError, match=r"different protocols: .*; type python src/eval.py (\S+) to see") as error:
        lab.evaluations(out, f"run=[{runs[0]},{runs[1]}]")
    assert f"explain=[{out}/0,{out}/1]" in str(error.value).replace("'", "").replace('"', "")
    (row,) = lab.explain(out / "0", out / "1")
    assert row.field == "n_real"
