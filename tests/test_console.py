"""What is printed, and where to."""

import ast
import io

import pytest
from settings import ROOT

from genlab import console as module
from genlab.console import LastingStream, console, keep_printing


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "[red] :cat: • ü ?"), ("cp1252", "[red] :cat: • ü ?"), ("ascii", "[red] :cat: * ? ?")],
)
def test_any_text_is_shown_as_it_is_or_as_something_alike(encoding, shown, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(module.sys, "stdout", io.TextIOWrapper(written, encoding, write_through=True))
    monkeypatch.setattr(module.sys, "stderr", io.StringIO())
    keep_printing()
    console(width=80).print("[red] :cat: • ü \udcff")
    assert written.getvalue().decode(encoding) == f"{shown}\n"


def test_a_console_that_fails_ends_nothing():
    class Full(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            raise OSError(28, "No space left on device")

    stream = LastingStream(Full(), "utf-8", write_through=True)
    assert stream.write("text") == 4
    stream.flush()


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
