"""How a configuration is recorded: what reads the environment as it was typed, all else resolved."""

import os

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError

from genlab.config.record import as_typed, record_config, resolve
from genlab.errors import UsageError


@pytest.fixture
def environment(monkeypatch):
    """A variable that is no secret, one that is, and one that looks like a part of the code."""
    monkeypatch.setattr(os, "environ", {"FACES": "/photos", "MY_TOKEN": "shibboleth", "PROJECT": "genlab", "N": "7"})
    return os.environ


def recorded(**node):
    return record_config(OmegaConf.create(node))


@pytest.mark.parametrize(
    "typed",
    [
        "${oc.env:FACES}",
        "${oc.env:MY_TOKEN}",
        "${oc.env:FACES}/${size}",
        "${oc.env:FACES, 'a, b'}",
        "${oc.env:UNSET}",
        "${oc.env:UNSET,default}",
        "${oc.env:UNSET,${oc.env:FACES}}",
        "${oc.decode:${oc.env:N}}",
        "${oc.env:${name}}",
        "https://me:${oc.env:MY_TOKEN}@example.org",
    ],
)
def test_what_reads_the_environment_is_recorded_as_it_was_typed(typed, environment):
    assert recorded(size=8, name="FACES", deep={"list": [typed]})["deep"]["list"] == [typed]


def test_so_is_what_reads_it_by_way_of_another_key(environment):
    node = {"a": "${oc.env:FACES}", "b": "${a}/x", "c": {"d": "${..b}"}, "e": "${c}", "f": "${unset}", "unset": "${g}"}
    assert recorded(**node, g="${oc.env:UNSET}") == {**node, "g": "${oc.env:UNSET}"}


def test_all_else_is_resolved(environment):
    found = recorded(size=8, shape=["${size}", "${size}"], copy="${shape}", text="${size} of ${name}", name="x", n=None)
    assert found == {"size": 8, "shape": [8, 8], "copy": [8, 8], "text": "8 of x", "name": "x", "n": None}


def test_a_key_that_does_not_exist_is_an_error_as_ever(environment):
    with pytest.raises(InterpolationResolutionError, match="nowhere"):
        recorded(a="${nowhere}", b="${oc.env:UNSET}")


def test_a_recorded_configuration_reads_the_environment_again(environment):
    stored = OmegaConf.create(recorded(root="${oc.env:FACES}", path="${root}/x", n="${oc.decode:${oc.env:N}}"))
    environment["FACES"] = "/elsewhere"
    assert (stored.root, stored.path, stored.n) == ("/elsewhere", "/elsewhere/x", 7)


def test_what_is_typed_stands_as_it_is_whatever_the_environment_holds(environment):
    node = {"_target_": "genlab.models.VAE", "project": "genlab", "genlab": 7, "n": "7", "root": "/photos/7"}
    assert recorded(**node) == node


def test_a_secret_that_stands_in_a_configuration_becomes_a_reference(environment):
    assert recorded(note="say shibboleth", shibboleth=1) == {"note": "say ${oc.env:MY_TOKEN}", "shibboleth": 1}


def test_a_password_that_is_not_in_the_environment_is_refused(environment):
    with pytest.raises(UsageError, match=r"\*\*\*@example.org/a holds a password.*oc\.env:NAME") as error:
        recorded(data={"path": "https://me:geheim@example.org/a"})
    assert "geheim" not in str(error.value)


def test_resolving_neither_looks_for_secrets_nor_at_keys_that_are_left_out(environment):
    config = OmegaConf.create({"note": "shibboleth", "b": "${a}", "a": "${oc.env:FACES}", "logger": "${nowhere}"})
    assert resolve(config, without=("logger",)) == {"note": "shibboleth", "b": "${a}", "a": "${oc.env:FACES}"}


def test_references_are_read_as_ever_once_all_is_recorded(environment):
    config = OmegaConf.create({"a": "${oc.env:FACES}", "b": "${oc.env:UNSET}"})
    record_config(config)
    assert config.a == "/photos"
    with pytest.raises(InterpolationResolutionError, match="UNSET"):
        config.b  # noqa: B018


def test_overrides_are_given_as_they_were_typed(environment):
    overrides = OmegaConf.create(["a=1", "+note='${oc.env:FACES}/${size}'", "b=${oc.env:UNSET}"])
    assert as_typed(overrides) == ["a=1", "+note='${oc.env:FACES}/${size}'", "b=${oc.env:UNSET}"]
