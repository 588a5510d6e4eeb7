"""Weight files: which are taken, which are refused, and when one is fetched."""

import os
import pickle
import subprocess
import sys
import threading
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from settings import ROOT

from genlab.errors import UsageError
from genlab.metrics import CLIP, VGG16, DINOv2, Inception
from genlab.metrics.encoders.weights import published_weights, tensors_only

CONTENT = b"published weights"
SUM = sha256(CONTENT).hexdigest()
URL = "https://example.org/weights.pth"

downloading_encoders = pytest.mark.parametrize("encoder", [Inception, DINOv2, CLIP, VGG16], ids=lambda one: one.name)


@pytest.fixture
def checkpoints(tmp_path, monkeypatch) -> Path:
    """An empty download folder of torch, without a network behind it."""

    def no_network(*_, **__):
        raise OSError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@downloading_encoders
def test_a_file_of_another_sum_is_refused_before_it_is_unpickled(encoder, checkpoints, tmp_path):
    torch.save(Payload(tmp_path / "mark"), checkpoints / encoder.filename)
    with pytest.raises(UsageError, match=encoder.sha256) as error:
        encoder()
    assert str(checkpoints / encoder.filename) in str(error.value)
    assert "delete it" in str(error.value)
    assert not (tmp_path / "mark").exists()
    torch.load(checkpoints / encoder.filename, weights_only=False)
    assert (tmp_path / "mark").exists()  # it would have run


def test_a_given_file_of_another_sum_is_refused_without_asking_for_its_deletion(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"anything")
    with pytest.raises(UsageError, match=Inception.sha256) as error:
        Inception(weights=str(path))
    assert "delete" not in str(error.value)
    assert path.exists()


def test_half_a_file_is_refused(checkpoints):
    path = checkpoints / "weights.pth"
    path.write_bytes(CONTENT)
    assert published_weights("inception", URL, path.name, SUM) == path
    path.write_bytes(CONTENT[: len(CONTENT) // 2])
    with pytest.raises(UsageError, match="only a part of it"):
        published_weights("inception", URL, path.name, SUM)


@downloading_encoders
def test_missing_weights_that_cannot_be_downloaded_name_file_address_hash_place_and_the_way_out(encoder, checkpoints):
    with pytest.raises(UsageError) as error:
        encoder()
    for part in (
        encoder.name,
        encoder.filename,
        encoder.url,
        "https://",
        encoder.sha256,
        str(checkpoints),
        "features.weights=",
        "features=efficientnet_lite0",
    ):
        assert part in str(error.value)


def test_a_file_that_does_not_exist_is_named(checkpoints):
    with pytest.raises(UsageError, match=r"no file .*typo\.pth.*features\.weights"):
        Inception(weights=str(checkpoints / "typo.pth"))


def test_a_download_of_another_sum_leaves_nothing_behind(checkpoints, monkeypatch):
    monkeypatch.undo()  # torch's own download again
    monkeypatch.setenv("TORCH_HOME", str(checkpoints.parents[1]))
    source = checkpoints.parents[1] / "source"
    source.write_bytes(b"something else")
    with pytest.raises(UsageError, match="invalid hash value"):
        published_weights("inception", source.as_uri(), "weights.pth", SUM)
    assert [path.name for path in checkpoints.iterdir() if path.suffix != ".lock"] == []
    source.write_bytes(CONTENT)
    assert published_weights("inception", source.as_uri(), "weights.pth", SUM).read_bytes() == CONTENT


def test_a_library_that_would_unpickle_anything_gets_tensors_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    torch.save(Payload(tmp_path / "mark"), tmp_path / "code.pth")
    torch.save({"a": torch.ones(2)}, tmp_path / "data.pth")
    with tensors_only():
        assert torch.equal(torch.load(tmp_path / "data.pth", weights_only=False)["a"], torch.ones(2))
        with pytest.raises(pickle.UnpicklingError):
            torch.load(tmp_path / "code.pth", weights_only=False)
    assert not (tmp_path / "mark").exists()
    assert os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


class _Weights(BaseHTTPRequestHandler):
    """Serves the content slowly and counts."""

    requests = 0

    def do_GET(self) -> None:
        type(self).requests += 1
        time.sleep(1.0)
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_) -> None: ...


ASK = """
import sys
from genlab.metrics.encoders.weights import published_weights
print("ready", flush=True)
sys.stdin.readline()
print(published_weights("inception", sys.argv[1], "weights.pth", sys.argv[2]))
"""


@pytest.mark.slow
def test_two_processes_that_ask_at_once_fetch_once(tmp_path):
    environment = os.environ | {"TORCH_HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src"), "no_proxy": "127.0.0.1"}
    with ThreadingHTTPServer(("127.0.0.1", 0), _Weights) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [sys.executable, "-c", ASK, f"http://127.0.0.1:{server.server_port}/weights.pth", SUM]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        both = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
        assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
        for process in both:
            process.stdin.write("\n")
            process.stdin.flush()
        found = [process.communicate(timeout=60)[0].strip() for process in both]
        server.shutdown()
    path = tmp_path / "hub" / "checkpoints" / "weights.pth"
    assert found == [str(path)] * 2
    assert path.read_bytes() == CONTENT
    assert _Weights.requests == 1
