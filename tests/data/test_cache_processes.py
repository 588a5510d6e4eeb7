"""A cache that is interrupted while it is built, or wanted by two processes at once."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from photos import caches, folder, put_photos
from settings import ROOT


@pytest.fixture
def photos(tmp_path) -> Path:
    return put_photos(tmp_path / "photos")


SLOW_BUILD = """
import signal, sys, time
from genlab.data import Folder
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it runs in the background
from genlab.data.arrays import ImageWriter
append = ImageWriter.append
def slow(self, images):
    print("decoded some", flush=True)
    time.sleep(float(sys.argv[2]))
    append(self, images)
ImageWriter.append = slow
import logging
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
splits = Folder(sys.argv[1], cache_dir=sys.argv[1] + "/../prepared")(16, 3)
print("has", sum(len(split.labels) for split in splits.values()), flush=True)
"""


def building(photos: Path, seconds: float) -> subprocess.Popen:
    """A process that builds the cache, as slowly as is asked for; it has begun when this returns."""
    command = [sys.executable, "-c", SLOW_BUILD, str(photos), str(seconds)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}
    )
    assert process.stdout is not None
    while "decoded some" not in process.stdout.readline():
        assert process.poll() is None
    return process


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_build_leaves_nothing_that_looks_finished_and_the_next_one_works(sign, photos):
    process = building(photos, 30)
    assert [path.suffix for path in caches(photos)] == [".tmp"]
    process.send_signal(sign)
    process.communicate()
    assert [path.suffix for path in caches(photos)] == ([".tmp"] if sign == signal.SIGKILL else [])
    assert sum(len(split.labels) for split in folder(photos)(16, 3).values()) == 60
    assert [path.suffix for path in caches(photos)] == [""]


@pytest.mark.slow
def test_of_two_processes_one_builds_and_the_other_waits(photos, caplog):
    caplog.set_level(logging.INFO)
    process = building(photos, 0.5)
    start = time.monotonic()
    splits = folder(photos)(16, 3)
    assert time.monotonic() - start > 0.3
    assert "Another process is decoding photos" in caplog.text
    assert "Decoding photos once" not in caplog.text
    assert sum(len(split.labels) for split in splits.values()) == 60
    assert "has 60" in process.communicate()[0]
