"""From one label to another."""

import pytest
import torch
from looking import Linear, run_of
from settings import config

from genlab.config.build import build, check_config
from genlab.errors import UsageError
from genlab.modes import Arithmetic
from genlab.modes.arithmetic import Ends

LEVELS = torch.tensor([[10, 30], [20, 30], [110, 80], [120, 80]])  # of class 0, then of class 1: 100 and 50 apart
LABELS = torch.tensor([0, 0, 1, 1])
STEP = torch.tensor([100, 50]) / 127.5


def shown(sheet):
    """The first two pixels of all images as levels, (rows, columns, 2)."""
    levels = ((sheet.images.flatten(1)[:, :2] + 1) * 127.5).round().int()
    return levels.view(-1, sheet.n_columns, 2).tolist()


def test_the_difference_of_the_mean_codes_is_added_to_images_of_the_first_label(generator):
    run = run_of(Linear([1.0, 1.0]), LEVELS, LABELS)
    sheet = Arithmetic(steps=3, **{"from": "0", "to": "1"})(run, generator)
    torch.testing.assert_close(sheet.arrays["direction"], STEP)
    assert shown(sheet) == [
        [[10, 30], [10, 30], [60, 55], [110, 80]],
        [[20, 30], [20, 30], [70, 55], [120, 80]],
    ]
    assert sheet.columns == ["image", "0%", "50%", "100%"]
    assert sheet.title == "From 0 to 1"


def test_the_way_back_and_a_part_of_the_way(generator):
    run = run_of(Linear([1.0, 1.0]), LEVELS, LABELS)
    sheet = Arithmetic(steps=2, scale=0.5, n=1, **{"from": "1", "to": "0"})(run, generator)
    assert shown(sheet) == [[[110, 80], [110, 80], [60, 55]]]


def test_one_label_is_held_against_all_others(generator):
    """Class 2 alone lies elsewhere: what leads to class 1 starts from the mean of 0 and 2."""
    levels = torch.cat([LEVELS, torch.tensor([[45, 0], [45, 0]])])
    run = run_of(Linear([1.0, 1.0]), levels, torch.tensor([0, 0, 1, 1, 2, 2]), label_names=["cat", "dog", "eel"])
    sheet = Arithmetic(plus="dog", steps=2, n=9)(run, generator)
    torch.testing.assert_close(sheet.arrays["direction"], torch.tensor([115 - 30.0, 80 - 15.0]) / 127.5)
    assert [row[0] for row in shown(sheet)] == [[10, 30], [20, 30], [45, 0], [45, 0]]


def test_attributes_are_added_where_they_lack(generator):
    labels = torch.tensor([[0, 1], [0, 0], [1, 1], [1, -1]])
    run = run_of(Linear([1.0, 1.0]), LEVELS, labels, label_names=["Smiling", "Male"])
    smiling = Arithmetic(plus="Smiling", steps=2)(run, generator)
    torch.testing.assert_close(smiling.arrays["direction"], STEP)
    assert [row[0] for row in shown(smiling)] == [[10, 30], [20, 30]]
    male = Arithmetic(plus="Male", steps=2)(run, generator)  # of the last image it is not known
    torch.testing.assert_close(male.arrays["direction"], torch.tensor([60 - 20.0, 55 - 30.0]) / 127.5)
    assert [row[0] for row in shown(male)] == [[20, 30]]


def test_of_a_factor_more_than_half_have_it(generator):
    labels = torch.tensor([[0.1], [0.2], [0.3], [0.4]])
    run = run_of(Linear([1.0, 1.0]), LEVELS, labels, label_names=["size"])
    torch.testing.assert_close(Arithmetic(plus="size")(run, generator).arrays["direction"], STEP)


def test_without_a_choice_the_first_label_is_added(generator):
    sheet = Arithmetic()(run_of(Linear([1.0, 1.0]), LEVELS, LABELS), generator)
    assert sheet.title == "Plus 0"
    torch.testing.assert_close(sheet.arrays["direction"], -STEP)


REFUSED = [
    ({"plus": "7"}, r"There is no label for mode\.plus '7'\. Valid: 0, 1\."),
    ({"from": "0", "to": "x"}, r"There is no label for mode\.to 'x'\. Valid: 0, 1\."),
]


@pytest.mark.parametrize(("options", "said"), REFUSED, ids=str)
def test_a_label_that_is_not_there_is_answered_with_those_that_are(options, said, generator):
    with pytest.raises(UsageError, match=said):
        Arithmetic(**options)(run_of(Linear([1.0, 1.0]), LEVELS, LABELS), generator)


@pytest.mark.parametrize("options", [{"from": "0"}, {"to": "1"}, {"from": "0", "to": "1", "plus": "2"}], ids=str)
def test_one_end_alone_is_refused(options):
    with pytest.raises(UsageError, match=r"two labels, mode\.from=NAME mode\.to=NAME, or one, mode\.plus=NAME"):
        Arithmetic(**options)


@pytest.mark.parametrize(
    ("labels", "said"),
    [([-1] * 4, "needs labels"), ([0] * 4, "finds no training image that has the label, or none without it")],
)
def test_images_without_labels_or_all_of_one_can_not_be_compared(labels, said, generator):
    with pytest.raises(UsageError, match=said):
        Arithmetic()(run_of(Linear([1.0, 1.0]), LEVELS, torch.tensor(labels)), generator)


def test_arguments_that_are_keywords_of_python_are_checked_as_all_others():
    cfg = config("mode=arithmetic", "mode.from=3", "mode.to=8", "run=x", name="sample")
    assert Ends.__annotations__.keys() == {"from", "to"}
    assert (build(cfg.mode).start, build(cfg.mode).end) == ("3", "8")
    with pytest.raises(UsageError, match=r"mode\.fro: .* unexpected keyword argument 'fro'\. Did you mean 'from'\?"):
        check_config(config("mode=arithmetic", "+mode.fro=3", "run=x", name="sample"))
    with pytest.raises(UsageError, match=r"mode\.from=\[3\] is not possible"):
        check_config(config("mode=arithmetic", "mode.from=[3]", "run=x", name="sample"))
