"""What the terminal shows."""

import pytest

from genlab.errors import UsageError
from genlab.evaluation import Evaluation
from genlab.evaluation.tables import in_order, show
from genlab.stamp import Measurement, Stamp


def evaluation(name: str, **values: float) -> Evaluation:
    """Lower is better in `fd`, and nothing is known of the others."""
    found = {
        metric: Measurement(value, Stamp(metric, "digits", split="train", n_real=50), "lower" if metric == "fd" else "")
        for metric, value in values.items()
    }
    return Evaluation(name, "VAE", found, {"codes": "VAE has no encoder"})


def test_subjects_are_sorted_by_the_first_metric_that_all_have_and_that_has_a_better_side():
    found = in_order([evaluation("a", loss=1, fd=3), evaluation("b", loss=2, fd=1), evaluation("c", loss=0, fd=2)])
    assert [one.name for one in found] == ["b", "c", "a"]


def test_subjects_without_a_common_metric_are_not_ranked():
    with pytest.raises(UsageError, match="no metric in common"):
        in_order([evaluation("a", fd=3), evaluation("b", loss=2)])


def test_a_loss_that_was_measured_by_another_protocol_is_refused_too():
    other = evaluation("b", fd=1, loss=1)
    stamp = Stamp("loss", "digits", split="test", n_real=50)
    other.measurements["loss"] = other.measurements["loss"]._replace(stamp=stamp)
    with pytest.raises(UsageError, match=r"loss of a and b .* split is train and test"):
        in_order([evaluation("a", fd=3, loss=1), other])


def test_two_encoders_that_disagree_on_an_order_are_named(capsys):
    a = evaluation("a", fd=1, fd_x=1, fd_y=3)
    show([a, evaluation("b", fd=2, fd_x=2, fd_y=2)])
    assert "fd_x and fd_y disagree on the order of 1 and 2" in capsys.readouterr().out
    show([a, evaluation("b", fd=2, fd_x=2, fd_y=4)])
    assert "disagree" not in capsys.readouterr().out


def test_ten_subjects_fit_into_80_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    show([evaluation(f"run {n}", fd=1000 + n, a_metric_of_a_very_long_name=n / 7) for n in range(10)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    printed = "\n".join(lines)
    for n in range(10):
        assert f"{n + 1}: VAE, run {n}" in printed
        assert f" {1000 + n} " in printed
    assert "a_metric_of_a_very_long_name" in printed
    assert "fd, a_metric_of_a_very_long_name: 50 train." in printed
    assert "Not applicable: codes, as VAE has no encoder." in printed


def test_one_subject_has_its_numbers_of_images_beside_each_value(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    show([evaluation("run", fd=1)])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "fd" in line]
    assert "50 train" in line
