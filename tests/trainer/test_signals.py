"""What is done about signals besides saving; commands/test_resume.py has real processes."""

import os
import signal
from types import SimpleNamespace

import pytest
from lightning.pytorch.utilities.exceptions import SIGTERMException

from genlab.trainer.signals import Signals


def training() -> Signals:
    """Signals of a run that trains."""
    signals = Signals()
    signals._trainer = SimpleNamespace(strategy=SimpleNamespace(launcher=None), is_global_zero=True)  # type: ignore[assignment]
    return signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_before_training_a_signal_ends_the_run_at_once(number):
    with Signals().installed(), pytest.raises(SystemExit, match=str(128 + number)):
        os.kill(os.getpid(), number)


def test_while_training_one_is_noted_and_a_second_sigint_exits_at_once(monkeypatch):
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    signals = training()
    with signals.installed():
        os.kill(os.getpid(), signal.SIGINT)
        assert (signals.stop, codes) == (signal.SIGINT, [])
        os.kill(os.getpid(), signal.SIGINT)
    assert codes == [130]
    assert signals.exit_code == 130


def test_a_scheduler_may_send_sigterm_more_than_once():
    signals = training()
    with signals.installed():
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signals.exit_code == 143


def test_handlers_are_put_back():
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    with Signals().installed():
        assert all(signal.getsignal(number) not in before for number in numbers)
    assert [signal.getsignal(number) for number in numbers] == before


def test_under_nohup_a_terminal_that_closes_is_no_reason_to_stop():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals().installed():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.fixture
def requeued():
    """The signals for which a scheduler has started this job again."""
    told = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: told.append(number))
    yield told
    signal.signal(signal.SIGUSR2, before)


def test_a_scheduler_that_handles_sigusr2_starts_the_job_again_once_all_is_saved(requeued):
    signals = training()
    with signals.installed():
        os.kill(os.getpid(), signal.SIGUSR2)
        assert (signals.stop, requeued) == (signal.SIGUSR2, [])
    signals.agreed_stop = signals.stop
    with pytest.raises(SystemExit, match=str(128 + signal.SIGUSR2)), signals.installed():
        raise SIGTERMException
    assert requeued == [signal.SIGUSR2]


def test_before_training_it_does_so_at_once(requeued):
    with Signals().installed(), pytest.raises(SystemExit, match=str(128 + signal.SIGUSR2)):
        os.kill(os.getpid(), signal.SIGUSR2)
    assert requeued == [signal.SIGUSR2]


def test_where_nobody_handles_sigusr2_it_is_left_alone():
    with Signals().installed():
        assert signal.getsignal(signal.SIGUSR2) == signal.SIG_DFL
