"""Who holds a file, and what is said on file systems without locks."""

import errno
import fcntl
import logging
import os
from threading import Event, Thread
from time import sleep

import pytest
from filelock import FileLock

from genlab.errors import UsageError
from genlab.locks import lock_file


def no_locks(number: int):
    def flock(*args):
        raise OSError(number, os.strerror(number))

    return flock


def test_a_lock_that_is_held_is_refused_with_the_sentence_and_free_again_afterwards(tmp_path):
    file, busy = tmp_path / ".lock", "Somebody is here."
    with lock_file(file, busy), pytest.raises(UsageError, match=r"^Somebody is here\.$"), lock_file(file, busy):
        pass
    with lock_file(file, busy):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_where_there_are_no_locks_that_is_said_and_nobody_waits_for_what_a_dead_machine_left(
    number, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(fcntl, "flock", no_locks(number))
    file = tmp_path / ".lock"
    file.write_text("4711\nanother-machine\n")
    with lock_file(file, "Somebody is here.", waiting="Waiting for somebody."):
        pass
    assert ".lock can't be locked (" in caplog.text


def test_who_waits_says_so_once_and_goes_on_when_the_lock_is_free(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    file = tmp_path / ".lock"
    is_held = Event()

    def hold():
        with FileLock(file):
            is_held.set()
            sleep(0.3)

    Thread(target=hold).start()
    is_held.wait()
    with lock_file(file, waiting="Waiting for somebody."):
        pass
    assert caplog.messages == ["Waiting for somebody."]


def test_a_folder_that_can_not_be_written_to_is_another_matter(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"), lock_file(tmp_path / "file" / ".lock", "Somebody is here."):
        pass
