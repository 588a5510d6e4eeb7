"""Uploading to a hub on this machine, and what is said before anything is written."""

from functools import partial

import huggingface_hub
import huggingface_hub.constants
import pytest
from exporting import exported
from hub_server import serving_hub

from genlab.errors import UsageError
from genlab.export import folder, hub
from genlab.export.hub import check_push, push


@pytest.fixture(autouse=True)
def no_token(monkeypatch, tmp_path):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))


@pytest.fixture
def server(monkeypatch):
    with serving_hub() as found:
        monkeypatch.setattr(huggingface_hub, "HfApi", partial(huggingface_hub.HfApi, endpoint=found.url))
        monkeypatch.setenv("HF_TOKEN", "hf_abc")
        yield found


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    for name in ("README.md", "model.safetensors", "mine.txt"):
        (path / name).write_text(name)
    return path


def test_without_a_token_it_is_said_before_anything_is_written(vae_run, tmp_path):
    with pytest.raises(UsageError, match=r"push=me/it needs a token of the Hugging Face hub"):
        exported(vae_run.path, tmp_path / "out", "push=me/it", "onnx=false")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [("it", "push=it names no user"), ("a b/c", "no name on the hub"), ("a/b/c", "no name on the hub")],
)
def test_what_is_no_name_on_the_hub_is_refused(name, said, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    with pytest.raises(UsageError, match=said):
        check_push(name)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'pip install -e "\.\[hub\]"'):
        check_push("me/it")


def test_what_an_export_has_written_is_uploaded_and_nothing_else(server, small):
    check_push("me/it")
    assert push(small, "me/it", private=True) == f"{server.url}/me/it"
    assert server.files == {name: name.encode() for name in ("README.md", "model.safetensors")}
    assert {*server.files} <= {*folder.FILES}
    (asked,) = server.repositories
    assert asked["name"] == "it"
    assert asked["organization"] == "me"
    assert "True" in str(asked.get("private")) or asked.get("visibility") == "private"
    assert server.tokens == {"Bearer hf_abc"}


def test_a_hub_that_refuses_is_told_in_one_sentence_and_the_folder_stays(server, small):
    server.refuses = True
    with pytest.raises(UsageError, match=r"is written, but push=me/it has failed \(.*overwrite=true"):
        push(small, "me/it", private=False)
    assert (small / "README.md").is_file()
