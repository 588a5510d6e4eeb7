"""Only values with equal stamps are compared."""

from dataclasses import fields, replace

import pytest

from genlab.errors import UsageError
from genlab.stamp import Measurement, Stamp, differences, ranked, require_same_protocol

STAMP = Stamp("fid", "cifar10", "abc", "train", 50_000, 50_000, weights="ema")


def measurements(*values, better="lower", **changes):
    found = {f"run {number}": Measurement(value, STAMP, better) for number, value in enumerate(values)}
    name, last = found.popitem()
    return found | {name: last._replace(stamp=replace(STAMP, **changes))}


def test_values_of_one_protocol_are_ranked_the_best_first():
    assert ranked(measurements(3.0, 1.0, 2.0)) == ["run 1", "run 2", "run 0"]
    assert ranked(measurements(3.0, 1.0, 2.0, better="higher")) == ["run 0", "run 2", "run 1"]


@pytest.mark.parametrize("field", [field.name for field in fields(Stamp)])
def test_a_difference_in_any_field_is_refused_and_named(field):
    with pytest.raises(UsageError, match=rf"fid of run 0 and run 2 can't be compared.*{field} is .* and another"):
        ranked(measurements(3.0, 1.0, 2.0, **{field: "another"}))


def test_all_differences_are_told_with_both_values():
    other = replace(STAMP, n_fake=10_000, weights="raw")
    assert differences(STAMP, other) == {"n_fake": (50_000, 10_000), "weights": ("ema", "raw")}
    assert differences(STAMP, STAMP) == {}


def test_one_value_alone_can_be_compared():
    require_same_protocol(measurements(1.0))


def test_values_of_no_direction_are_not_ranked():
    with pytest.raises(ValueError, match="better"):
        ranked(measurements(1.0, 2.0, better=""))


def test_a_file_holds_the_fields_that_are_set_and_what_a_value_is_made_of():
    found = Measurement(0.5, STAMP, entries=(0.2, 0.8)).as_dict()
    assert found["protocol"] == {
        "metric": "fid",
        "data": "cifar10",
        "images": "abc",
        "split": "train",
        "n_real": 50_000,
        "n_fake": 50_000,
        "weights": "ema",
    }
    assert found["entries"] == [0.2, 0.8]
    assert found.keys() == {"value", "protocol", "entries"}


def test_a_protocol_of_an_earlier_version_is_read_and_is_another_one_than_that_of_draws():
    old = Stamp(**{"metric": "kid", "data": "digits", "binarize": "fixed"})
    assert differences(old, replace(old, generated="drawn")) == {"generated": (None, "drawn")}
