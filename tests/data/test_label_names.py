"""What labels are called."""

import layouts
import pytest
import torch
from looking import Linear, run_of
from settings import config

from genlab.config.build import build
from genlab.data.labels import ATTRIBUTE, label_columns, label_groups
from genlab.data.shapes import COLOURS, HUES


def columns_of(labels, **named):
    labels = torch.tensor(labels)
    return label_columns(run_of(Linear([1.0]), torch.zeros(len(labels), 1), labels, **named).datamodule, "test")


def test_digits_are_called_by_their_numbers():
    (column,) = label_columns(build(config("data=digits").data), "test")
    assert column.name == "label"
    assert column.classes == {n: str(n) for n in range(10)}
    assert [int(group.inside.sum()) for group in label_groups([column]).values()] == [50] * 10


def test_shapes_are_called_by_their_factors():
    columns = label_columns(build(config("data=shapes", "data.source.n_images=200").data), "train")
    assert [column.name for column in columns] == ["shape", "colour", "size", "rotation", "x", "y"]
    assert [*columns[0].classes.values()] == ["square", "triangle", "ellipse"]
    assert [*columns[1].classes.values()] == ["red", "yellow", "green", "cyan", "blue", "magenta"]
    assert all(column.classes == {} for column in columns[2:])
    groups = label_groups(columns)
    assert groups["size"].inside.sum() == groups["size"].outside.sum() == 80


@pytest.mark.parametrize(("colour", "hue"), [(0, "red"), (2, "green"), (4, "blue")])
def test_the_hues_of_shapes_are_what_they_are_called(colour, hue):
    assert HUES[colour] == hue
    assert COLOURS[colour].argmax() == ["red", "green", "blue"].index(hue)


def test_classes_have_the_names_of_their_folders_and_some_images_have_none():
    (column,) = columns_of([1, 0, -1, 1], label_names=["cats", "dogs"])
    assert column.classes == {0: "cats", 1: "dogs"}
    groups = label_groups([column])
    assert groups["dogs"].inside.tolist() == [True, False, False, True]
    assert groups["dogs"].outside.tolist() == [False, True, False, False]


def test_classes_without_a_name_are_called_by_their_numbers_and_those_without_images_are_not_there():
    assert columns_of([0, 7, 5], label_names=["zero"])[0].classes == {0: "zero", 5: "5", 7: "7"}


def test_attributes_are_true_or_not_and_sometimes_not_known():
    smiling, male = columns_of([[1, -1], [0, 1], [1, 0]], label_names=["Smiling", "Male"])
    assert (smiling.name, male.name) == ("Smiling", "Male")
    assert smiling.classes == male.classes == ATTRIBUTE
    group = label_groups([smiling, male])["Male"]
    assert (group.inside.tolist(), group.outside.tolist()) == ([False, True, False], [False, False, True])


def test_entries_without_a_name_are_numbered():
    assert [column.name for column in columns_of([[0, 1, 4], [1, 0, 9]])] == ["label 0", "label 1", "label 2"]
    assert columns_of([[0, 1, 4], [1, 0, 9]])[2].classes == {}  # whole numbers of a vector count something


def test_huge_numbers_are_no_names():
    assert columns_of(list(range(3000)))[0].classes == {}
    assert columns_of([10**12, 5])[0].classes == {5: "5", 10**12: str(10**12)}


def test_without_any_label_there_is_none():
    assert columns_of([-1, -1]) == []
    assert [column.name for column in columns_of([[-1, 1], [-1, 0]], label_names=["a", "b"])] == ["b"]


@pytest.mark.parametrize(("source", "names"), [("folder", ["cats", "dogs"]), ("celeba", ["5_o_Clock_Shadow"])])
def test_names_come_with_the_prepared_images(source, names, tmp_path, monkeypatch):
    typed = getattr(layouts, source)(tmp_path / "files", monkeypatch)
    data = build(config(f"data={source}", *typed, f"paths.data_dir={tmp_path}", "data.size=8").data)
    columns = label_columns(data, "train")
    if source == "folder":
        assert [*columns[0].classes.values()] == names
    else:
        assert len(columns) == 40
        assert (columns[0].name, columns[0].classes) == (*names, ATTRIBUTE)
