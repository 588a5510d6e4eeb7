"""Wrong inputs of `eval.py explain=A,B`: what is typed, and what comes back."""

import json
import shutil
from pathlib import Path

import pytest
from settings import config
from typed import assert_refused, type_in

from genlab.commands.evaluate import evaluate
from genlab.errors import UsageError

TAKES = "explain= takes two scores, as in explain=RUN,logs/eval/runs/DATE_TIME, and has got "
AGAIN = "evaluate it again"
REFUSED = [  # what is typed, in a folder with runs and evaluations; and the sentence
    ("run", TAKES + "one name."),
    ("[run,eval,other]", TAKES + "3 names."),
    ("[run,run]", TAKES + "the same one twice."),
    ("[run,nowhere]", "explain=nowhere does not exist: give two run folders, or folders that eval.py has left."),
    ("[run,photos]", "explain=photos holds no score: a run folder does, and what eval.py leaves"),
    ("[run,run/checkpoints/last.ckpt]", "a checkpoint is scored with run=PATH, and a folder of images with images="),
    ("[eval,unscored]", "explain=unscored has no score (callbacks.frechet makes one): type python src/eval.py run=un"),
    ("[eval,unmeasured]", f"explain=unmeasured has no Fréchet distance: {AGAIN}"),
    ("[eval,newer]", f"by a protocol with fields that this version does not know, 'zoom': {AGAIN}"),
    ("[eval,older]", f"explain=older is of an earlier version, which did not say how it was measured: {AGAIN}"),
    ("[eval,both]", "explain=both holds 2 scores: choose one, as both/0 (run) and both/1 (run)."),
    ("[eval,both/2]", "explain=both/2: both/evaluation.json can't be used (it has no score 2)."),
    ("[eval,damaged]", "explain=damaged: damaged/evaluation.json can't be used ("),
    ("[run,moved]", "explain=moved can't be computed again: run=gone does not exist"),
    ("[run,evil]", "The config asks for 'builtins.eval', which is not a class of genlab"),
]


@pytest.fixture(scope="module")
def place(vae_run, shared_data, tmp_path_factory) -> Path:
    """Folders of each kind, which are read and not computed with."""
    root = tmp_path_factory.mktemp("place")
    (root / "photos").mkdir()
    for name in ("run", "unscored"):
        shutil.copytree(vae_run.path, root / name)
    summary = json.loads((root / "unscored/summary.json").read_text())
    (root / "unscored/summary.json").write_text(json.dumps(summary | {"score": None}))
    metrics = {"n_samples": 32, "reference": "train", "split": "test", "batch_size": 100}
    scored = summary["metrics"]["val/fd_efficientnet_lite0"]
    features = {"_target_": "genlab.metrics.EfficientNetLite0"}
    how = {"run": "run", "images": None, "data": None, "metrics": metrics, "features": features}
    how |= {"seed": 0, "weights": "ema", "ema": None, "prior": None}
    one = {"name": "run", "metrics": {"fd_efficientnet_lite0": scored}, "config": how}
    newer = {"fd_efficientnet_lite0": scored | {"protocol": scored["protocol"] | {"zoom": 2}}}
    written = {
        "eval": [one],
        "other": [one],
        "both": [one, one],
        "unmeasured": [one | {"metrics": {}}],
        "newer": [one | {"metrics": newer}],
        "older": [{key: value for key, value in one.items() if key != "config"}],
        "moved": [one | {"config": how | {"run": "gone"}}],
        "evil": [one | {"config": how | {"features": {"_target_": "builtins.eval"}}}],
    }
    for name, content in written.items():
        (root / name).mkdir()
        (root / name / "evaluation.json").write_text(json.dumps(content))
    (root / "damaged").mkdir()
    (root / "damaged" / "evaluation.json").write_text("[{")
    return root


@pytest.mark.parametrize(("typed", "said"), REFUSED, ids=lambda part: str(part))
def test_what_can_not_be_explained_is_refused_in_a_sentence(typed, said, place, monkeypatch):
    monkeypatch.chdir(place)
    with pytest.raises(UsageError) as error:
        evaluate(config(f"explain={typed}", "trainer=cpu", name="eval"))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_it_is_typed_with_a_comma_and_nothing_of_a_protocol_beside_it(place):
    result = type_in("eval", "explain=run,eval", "features=inception", "metrics.n_samples=5", cwd=place)
    assert_refused(result, "explain= takes models and protocols from the scores themselves: leave features and metrics")
    result = type_in("eval", "explain=run,eval", "trainer=cpu", "hydra.run.dir=explained", cwd=place)
    assert result.returncode == 0, result.stderr
    assert "B: fd_efficientnet_lite0" in result.stdout
    assert (place / "explained" / "explanation.csv").is_file()
