"""Who holds a file, and what is said on file systems without locks."""

import errno
import fcntl
import logging
import os

import pytest

from genlab import locks
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


def test_where_there_are_no_locks_at_all_that_is_said_and_work_goes_on(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(fcntl, "flock", no_locks(errno.ENOLCK))
    with lock_file(tmp_path / ".lock", "Somebody is here."):
        pass
    assert ".lock can't be locked (" in caplog.text


def test_a_lock_that_a_dead_machine_has_left_is_waited_for_and_then_said(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(fcntl, "flock", no_locks(errno.ENOSYS))
    monkeypatch.setattr(locks, "WAIT", 0.5)
    file = tmp_path / ".lock"
    file.write_text("4711\nanother-machine\n")
    said = r"^Somebody is here\. Its file system has no locks: if that process is gone, remove .*\.lock\.$"
    caplog.set_level(logging.INFO)
    with pytest.raises(UsageError, match=said), lock_file(file, "Somebody is here.", waiting="Waiting for somebody."):
        pass
    assert "Waiting for somebody." in caplog.text
    file.unlink()
    with lock_file(file, "Somebody is here."):
        pass
    assert not file.exists()


def test_a_folder_that_can_not_be_written_to_is_another_matter(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"), lock_file(tmp_path / "file" / ".lock", "Somebody is here."):
        pass
