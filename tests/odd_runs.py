"""What may lie in a run folder that no run of ours has written: each function damages a whole one in its own way."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

Damage = Callable[[Path], Any]


def summary(**fields: Any) -> Damage:
    return lambda run: _json(run, json.loads((run / "summary.json").read_text()) | fields)


def config(**values: Any) -> Damage:
    """Keys with `__` for a dot."""

    def change(run: Path) -> None:
        content = yaml.safe_load((run / "config.yaml").read_text())
        for key, value in values.items():
            *way, last = key.split("__")
            node = content
            for part in way:
                node = node.setdefault(part, {})
            node[last] = value
        (run / "config.yaml").write_text(yaml.safe_dump(content))

    return change


def text(name: str, content: str | bytes) -> Damage:
    return lambda run: _emptied(run / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def link(name: str, target: str) -> Damage:
    return lambda run: _emptied(run / name).symlink_to(target)


def pipe(name: str) -> Damage:
    return lambda run: os.mkfifo(_emptied(run / name))


def folder(name: str) -> Damage:
    return lambda run: _emptied(run / name).mkdir()


def picture(name: str, width: int, height: int, mode: str = "L", form: str = "PNG") -> Damage:
    return lambda run: Image.new(mode, (width, height)).save(run / "samples" / name, form)


def failed(damage: Damage) -> Damage:
    """Of a failed run the log is read too."""
    return lambda run: (summary(status="failed")(run), damage(run))


def protocol(**fields: Any) -> Damage:
    return summary(metrics={"val/fd": {"value": 2.0, "protocol": {"metric": "fd", "data": "digits"} | fields}})


def _json(run: Path, content: Any) -> None:
    (run / "summary.json").write_text(json.dumps(content))


def _emptied(path: Path) -> Path:
    path.unlink(missing_ok=True)
    return path


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

READABLE: dict[str, Damage] = {  # odd, and yet a run
    "a count of images that is not whole": summary(images_seen=12.5),
    "more epochs than there are atoms": summary(epochs=10**90),
    "parameters in halves": summary(parameters={"total": 1.5}),
    "400 digits of seconds": text("summary.json", f'{{"status":"failed","seconds":{"9" * 400}}}'),
    "400 digits of a metric": text("summary.json", f'{{"status":"failed","metrics":{{"a":{{"value":{"9" * 400}}}}}}}'),
    "infinite seconds": text("summary.json", '{"status":"failed","seconds":1e999}'),
    "seconds that are NaN": text("summary.json", '{"status":"failed","seconds":NaN}'),
    "infinite images": config(data__image_shape=[1, float("inf"), float("inf")]),
    "images of negative size": config(data__image_shape=[1, -2, -2]),
    "images of no size": config(data__image_shape=[0, 0, 0]),
    "huge images": config(data__image_shape=[1, 10**30, 10**30]),
    "no columns": config(callbacks__samples__n_columns=0),
    "10**40 columns": config(callbacks__samples__n_columns=10**40),
    "mathematics as a data set": config(data__name=r"$\frac{$"),
    "mathematics as a model": config(model___target_=r"genlab.models.$\frac{$"),
    "mathematics as a key": config(**{r"$\frac{$": 3}),
    "mathematics as a protocol": protocol(metric=r"$\frac{$", data="$x_{$"),
    "mathematics as a metric": text("metrics.csv", "step,val/$\\frac{$\n0,1\n1,2\n"),
    "a latent dimension that is NaN": config(model__latent_dim=float("nan")),
    "an infinite latent dimension": config(model__latent_dim=float("inf")),
    "a latent dimension of 400 digits": config(model__latent_dim=10**400),
    "a latent dimension that is a list": config(model__latent_dim=[1, 2]),
    "a latent dimension that is a mapping": config(model__latent_dim={"a": 1}),
    "a formula and other things typed": summary(overrides=["=cmd|' /C calc'!A0", 5, {"a": 1}, None]),
    "overrides that are a text": summary(overrides="abc"),
    "an error that is a mapping": summary(status="failed", error={"a": 1}),
    "an odd status": summary(status="<b>=cmd\x1b[31m"),
    "an error that commands the terminal": summary(status="failed", error="\x1b]0;owned\x07\x1b[2Jx"),
    "a data set that commands the terminal": config(data__name="\x1b[31mred"),
    "half of a surrogate pair": text("summary.json", '{"status":"failed","error":"\\ud800"}'),
    "a score that is a list": summary(score=[1, 2]),
    "a score that is a text": summary(score={"name": "val/fd", "value": "x"}),
    "metrics that are a list": summary(metrics=[1]),
    "metrics of other kinds": summary(metrics={"a": 1, "b": None, "": {"value": 3}, "c/d": {"value": [1]}}),
    "a protocol of containers": protocol(metric={"x": 1}, data=[1]),
    "a protocol of None": protocol(metric=None, data=None),
    "the largest score": summary(score={"name": "val/fd", "value": 1e308}),
    "versions that are a list": summary(versions=[1, 2], git_commit=[1], started={"a": 1}),
    "odd warnings": summary(health={"warnings": [1, {"message": {"a": 1}}, {"epoch": []}]}),
    "values of YAML's other kinds": text("config.yaml", "a: 2001-01-01\nb: !!binary aGk=\nc: !!set {x}\n"),
    "huge values of a metric": text("metrics.csv", "step,val/loss\n0,1e308\n1,-1e308\n2,inf\n3,nan\n"),
    "steps before the first": text("metrics.csv", "step,val/loss,train/images_seen\n-1,1,10\n-1,2,20\n"),
    "a metric that commands the terminal": text("metrics.csv", "step,val/\x1b[31m\n0,1\n1,2\n"),
    "a log that is a pipe": failed(pipe("train.log")),
    "a log that is a folder": failed(folder("train.log")),
    "a log that is somebody else's file": failed(link("train.log", "../mine")),
    "a picture that is a text": text("samples/epoch_0003.png", "hello"),
    "a picture that is a pipe": pipe("samples/epoch_0009.png"),
    "a picture that is somebody else's": link("samples/epoch_0009.png", "../../mine.png"),
    "a flat picture": picture("epoch_0009.png", 5000, 1),
    "a picture of superscripts": picture("epoch_²³.png", 50, 14),
    "a picture that unfolds": picture("epoch_0009.png", 20_000, 20_000, mode="1"),
    "a picture of another format": picture("epoch_0009.png", 50, 14, form="JPEG"),
}

UNREADABLE: dict[str, tuple[Damage, str]] = {  # and what is said of them
    "a list that holds itself": (text("config.yaml", "a: &a [*a]\n"), "config.yaml can't be read: it holds more than"),
    "a mapping that holds itself": (text("config.yaml", "a: &a {b: *a}\n"), "config.yaml can't be read: it holds more"),
    "references that unfold": (
        text("config.yaml", BOMB),
        "config.yaml can't be read: it holds more than 20,000 values",
    ),
    "deep nesting": (text("summary.json", '{"a":' * 10**5 + "1" + "}" * 10**5), "summary.json can't be read: maximum"),
    "5,000 digits": (text("summary.json", f'{{"seconds":{"9" * 5000}}}'), "summary.json can't be read: Exceeds"),
    "a summary that is a pipe": (pipe("summary.json"), "summary.json is no regular file"),
    "a configuration that is a pipe": (pipe("config.yaml"), "config.yaml is no regular file"),
    "metrics that are a folder": (folder("metrics.csv"), "metrics.csv is no regular file"),
    "endless metrics": (link("metrics.csv", "/dev/zero"), "metrics.csv is no regular file"),
    "somebody else's configuration": (link("config.yaml", "../mine"), "config.yaml is a link that leads out of the"),
    "somebody else's summary": (link("summary.json", "../mine"), "summary.json is a link that leads out of the folder"),
    "a link to itself": (link("config.yaml", "config.yaml"), "config.yaml is missing"),
    "a link to nothing": (link("config.yaml", "nowhere"), "config.yaml is missing"),
    "a summary of zeros": (text("summary.json", b"\0" * 100), "summary.json can't be read: "),
    "an empty summary": (text("summary.json", ""), "summary.json can't be read: "),
    "a status that is a mapping": (summary(status={"a": 1}), "summary.json has no status"),
    "code": (text("config.yaml", "a: !!python/object/apply:os.getcwd []\n"), "config.yaml can't be read: could not"),
    "an empty configuration": (text("config.yaml", ""), "config.yaml can't be read: it holds no mapping"),
    "metrics of zeros": (text("metrics.csv", b"\0" * 1000 + b"\n1,2\n"), "metrics.csv can't be read: "),
    "an odd byte": (text("metrics.csv", b"step,val/loss\n0,\xff\n"), "metrics.csv can't be read: "),
    "a field too many": (text("metrics.csv", "step,val/loss\n0,1\n1,2,3,4\n"), "metrics.csv can't be read: "),
    "metrics without steps": (text("metrics.csv", "a,b\n1,2\n"), "metrics.csv can't be read: no column step"),
}

NAMES = [
    "$\\frac{$",
    "=cmd",
    "a\x1b[31mred",
    "new\nline",
    "<script>alert(1)</script>",
    "日本語" * 20,
    "\udcff",
    "[red]",
]
