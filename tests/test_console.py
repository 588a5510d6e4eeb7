"""What is printed, and where to."""

import ast
import io
import os
import sys

import pytest
from settings import ROOT

from genlab.console import Stream, console, protect_output


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "[red] :cat: • ü ?"), ("cp1252", "[red] :cat: • ü ?"), ("ascii", "[red] :cat: ? ? ?")],
)
def test_any_text_is_shown_as_far_as_the_encoding_goes(encoding, shown, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    protect_output()
    console(width=80).print("[red] :cat: • ü \udcff")
    assert written.getvalue().decode(encoding) == f"{shown}\n"


def test_a_console_that_fails_ends_nothing():
    class Full(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            raise OSError(28, "No space left on device")

    stream = Stream(io.TextIOWrapper(io.BufferedWriter(Full(), 1), "utf-8", write_through=True))
    assert stream.write("text") == 4
    stream.flush()


def test_a_stream_writes_no_secret_whichever_way_it_is_written_to(monkeypatch):
    monkeypatch.setattr(os, "environ", {"MY_KEY": "shibboleth"})
    stream = Stream(out := io.StringIO())
    print("a shibboleth", file=stream)
    stream.writelines(["b shibb", "oleth\n"])
    recorded: list[str] = []
    stream.write = recorded.append  # as W&B does
    stream.write("c shibboleth")
    assert out.getvalue() == "a ${oc.env:MY_KEY}\nb ${oc.env:MY_KEY}\n"
    assert recorded == ["c ${oc.env:MY_KEY}"]


def test_the_output_of_a_process_is_wrapped_once(monkeypatch):
    monkeypatch.setattr("sys.stdout", io.StringIO())
    monkeypatch.setattr("sys.stderr", None)
    protect_output()
    first = sys.stdout, sys.stderr
    protect_output()
    assert (sys.stdout, sys.stderr) == first
    assert all(isinstance(stream, Stream) for stream in first)
    sys.stderr.close()


def test_every_text_file_is_opened_as_utf_8_whatever_the_locale():
    for path in (ROOT / "src").rglob("*.py"):
        for call in (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            owner = ast.unparse(call.func).rpartition(".")[0]
            if name not in ("open", "read_text", "write_text", "fdopen") or owner in ("os", "Image", "cache", "files"):
                continue
            given = [ast.unparse(part) for part in call.args]
            is_ours = name in ("read_text", "write_text") and not owner  # of genlab.foreign and genlab.files
            is_binary = any("b" in part and len(part) < 6 for part in given if part.startswith("'"))
            assert is_ours or is_binary or any(key.arg == "encoding" for key in call.keywords), (path, call.lineno)
