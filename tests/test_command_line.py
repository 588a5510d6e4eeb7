"""What is typed, from the shell to Hydra and back."""

import shlex

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode

from genlab import cli
from genlab.command_line import literal, quoted, read_arguments, typed

NASTY = [
    *("#ff8000", "a b", "it's", 'say "x"', "both'\"x", "a\\", "a\\'", "1e5", "007", "null", "true", "/a,b", "x=y"),
    *("[a]", "{b}", "choice(a,b)", "ü/日本 🙂", "a\tb", "$HOME", "`ls`", "a;b & c", "!x", "*", "~/x", " a ", "", "a:b"),
]


def setting_value(argument):
    """What Hydra reads."""
    value = OverridesParser.create().parse_override(argument).value()
    return getattr(value, "text", value)


@pytest.mark.parametrize("value", NASTY)
def test_what_is_printed_can_be_typed_in_a_shell_and_gives_the_same_value(value):
    (word,) = shlex.split(typed("data.root", value))
    assert setting_value(word) == value
    (word,) = shlex.split(typed("runs", [value, "b"]))
    assert [getattr(part, "text", part) for part in setting_value(word)] == [value, "b"]
    assert setting_value(f"key={quoted(value)}") == value
    assert setting_value(f"key={literal(value)}") == value


def test_what_needs_no_quotes_gets_none():
    assert typed("resume", "logs/train/runs/2026-11-25_10-00-00-000000") == (
        "resume=logs/train/runs/2026-11-25_10-00-00-000000"
    )
    assert typed("data.background", "#ff8000") == "'data.background=\"#ff8000\"'"


def test_what_is_printed_names_paths_with_commas(tmp_path):
    runs = [tmp_path / "a, b", tmp_path / "it's"]
    *_, word = shlex.split(typed("runs", runs))
    assert [getattr(part, "text", part) for part in setting_value(word)] == [str(run) for run in runs]
    assert shlex.split(typed("sweep", tmp_path / "a=b"))[-1] == f'sweep="{tmp_path}/a=b"'


@pytest.mark.parametrize(
    "typed",
    ["model=ae,vae", "model=[a,b", "~callbacks.ema", "+model/penalty@x.y=r1", "resume=null", "resume=auto", "a==b",
     "runs=[a,b]", "runs=logs/*", "data.root=${oc.env:X}", "data.crop=[148,178]", "k=choice(1,2)", "name=don't", "-m"],
)  # fmt: skip
def test_what_hydra_can_read_or_has_to_complain_of_is_left_as_it_is(typed):
    assert read_arguments([typed], "runs") == [typed]


def test_flags_may_stand_anywhere():
    typed = ["model=ae,vae", "-m", "~callbacks.ema", "--cfg", "job", "--config-dir=a", "seed=1", "seed=2"]
    flags, overrides = ["-m", "--cfg", "job", "--config-dir=a"], ["model=ae,vae", "~callbacks.ema", "seed=1", "seed=2"]
    assert read_arguments(typed) == flags + overrides


def test_commas_separate_paths_where_there_may_be_several(monkeypatch):
    monkeypatch.setenv("HOME", "/me")
    assert read_arguments(["run=~/a,/b c&d"], "run") == ["run=[/me/a,'/b c&d']"]
    assert read_arguments(["run=a,'b,c'"], "run") == ["run=[a,'b,c']"]
    assert read_arguments(["run=a, b"]) == ["run='a, b'"]
    assert read_arguments(["resume=/a,b"]) == ["resume='/a,b'"]
    assert read_arguments(["-m", "data.root=2023,2024"]) == ["-m", "data.root='2023','2024'"]
    assert read_arguments(["data.root=2024", "output=", "sweep=1e5"]) == ["data.root='2024'", "sweep='1e5'"]


@pytest.mark.parametrize(
    ("said", "overrides", "mode"),
    [
        ("a: 0", [], None),
        ("a: 0", ["a=1"], None),
        ("a: 0", ["hydra.mode=MULTIRUN"], RunMode.MULTIRUN),
        ("hydra: {mode: MULTIRUN}", [], RunMode.MULTIRUN),
    ],
)
def test_whether_to_sweep_is_known_without_composing_where_neither_a_file_nor_the_command_says_so(
    said, overrides, mode, tmp_path, monkeypatch
):
    (tmp_path / "train.yaml").write_text(said)
    composed, mode_of = [], cli._composed_mode
    monkeypatch.setattr(cli, "CONFIGS", tmp_path)
    monkeypatch.setattr(cli, "_composed_mode", lambda *args: composed.append(args) or mode_of(*args))
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert GlobalHydra.instance().hydra.get_mode("train", overrides) == mode
    assert len(composed) == (mode is not None)


def test_another_folder_of_configurations_is_asked_too(tmp_path):
    (tmp_path / "train.yaml").write_text("hydra: {mode: MULTIRUN}")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert GlobalHydra.instance().hydra.get_mode("train", []) == RunMode.MULTIRUN
