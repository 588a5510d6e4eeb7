"""What labels are to a model: vectors, draws, and what can be typed."""

from collections import Counter

import numpy as np
import pytest
import torch
from layouts import celeba, folder
from looking import Known
from PIL import Image
from settings import config

from genlab.conditions import Attributes, Classes, Values
from genlab.config.build import build
from genlab.data import ImageDataModule
from genlab.errors import UsageError


def known(labels, **named):
    """A data module of black images with these labels."""
    images = torch.zeros(len(labels), 1, 8, 8, dtype=torch.uint8)
    return ImageDataModule(Known(images, labels, **named), "known", 1, 8, (1, 8, 8), 1)


def test_a_class_is_a_unit_vector_and_no_class_is_zero():
    found = Classes(["cat", "dog", "eel"]).vectors(torch.tensor([2, -1, 0]))
    assert found.tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]


def test_attributes_are_told_by_their_sign_and_what_is_not_known_is_zero():
    condition = Attributes(["young", "old", "odd", "new"], of=["young", "odd", "new", "old"])
    assert condition.vectors(torch.tensor([[1, 0, -1, 1], [-1, -1, -1, -1]])).tolist() == [
        [0.5, 0, 0.5, -0.5],
        [0, 0, 0, 0],
    ]


def test_numbers_are_standardised_by_the_training_images_and_an_entry_says_that_they_are_known():
    condition = Values(["size", "hue"], of=["size"])
    condition.fit(torch.tensor([[1.0, 7], [3, 7], [-1, 7]]))  # mean 2, deviation 1; the last one is not known
    found = condition.vectors(torch.tensor([[4.0, 0], [-1, 0]]))
    torch.testing.assert_close(found, torch.tensor([[2.0, 1], [0, 0]]) / 2**0.5)


def test_classes_are_drawn_as_often_as_training_images_have_them():
    condition = Classes(["a", "b", "c"])
    condition.fit(torch.tensor([0, 0, 2, -1]))
    counts = Counter(condition.draw(4000, torch.Generator().manual_seed(0)).tolist())
    assert counts.keys() == {0, 2, -1}
    assert counts[0] == pytest.approx(2000, abs=100)
    assert counts[-1] == pytest.approx(1000, abs=100)


def test_attributes_are_drawn_together_as_training_images_have_them():
    condition = Attributes(["a", "b"])
    condition.fit(torch.tensor([[1, 0], [0, 1]] * 50))
    assert {tuple(y) for y in condition.draw(100, torch.Generator().manual_seed(0)).tolist()} == {(1, 0), (0, 1)}


def test_the_same_generator_draws_the_same_labels():
    condition = Classes(["a", "b", "c"])
    first, same, other = (condition.draw(20, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_a_class_is_asked_for_by_its_name_its_number_or_as_none():
    condition = Classes(["cat", "dog"])
    asked = {label: condition.ask(label, 2).tolist() for label in ("dog", "1", "none", "-1")}
    assert asked == {"dog": [1, 1], "1": [1, 1], "none": [-1, -1], "-1": [-1, -1]}


def test_what_is_left_open_of_attributes_is_that_of_training_images_which_have_what_is_asked_for():
    condition = Attributes(["smiling", "mouth open", "hat"])
    condition.fit(torch.tensor([[1, 1, 0], [0, 0, 1]] * 4))
    assert condition.ask({"smiling": 1}, 3).tolist() == [[1, 1, 0]] * 3
    assert condition.ask("hat", 3).tolist() == [[0, 0, 1]] * 3
    both = condition.ask({"smiling": 1, "hat": 1}, 20).tolist()  # no training image has both
    assert {(y[0], y[2]) for y in both} == {(1, 1)}


def test_what_is_put_in_the_place_of_labels_leaves_the_others_as_they_are():
    condition = Attributes(["hat", "smile"])
    condition.fit(torch.tensor([[1, 0], [0, 1]]).repeat(20, 1))
    y = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert condition.put({"smile": 1}, y).tolist() == [[1, 1], [0, 1]]
    assert y.tolist() == [[1, 0], [0, 1]]
    assert Classes(["a", "b"]).put("b", torch.tensor([0, 1, 0])).tolist() == [1, 1, 1]


def test_a_number_that_is_asked_for_leaves_the_others_as_they_are_drawn():
    condition = Values(["size", "hue"])
    condition.fit(torch.arange(20.0).reshape(10, 2))
    found = condition.ask({"size": 0.5}, 50)
    assert set(found[:, 0].tolist()) == {0.5}
    assert set(found[:, 1].tolist()) <= set(torch.arange(1.0, 20, 2).tolist())
    assert len(set(found[:, 1].tolist())) > 3


@pytest.mark.parametrize(
    ("condition", "label", "said"),
    [
        (Classes(["cat", "dog"]), "cow", "There is no class for mode.label 'cow'. Valid: cat, dog, none."),
        (Classes(["cat", "dog"]), "2", "There is no class for mode.label '2'. Valid: cat, dog, none."),
        (Attributes(["young"]), {"old": 1}, "There is no label for mode.label 'old'. Valid: young."),
        (Attributes(["young"]), {"young": 2}, "mode.label asks for an attribute of 2: it is 1, 0, or -1"),
        (Attributes(["young"]), "3", "mode.label=3 is not possible: labels are typed as 'mode.label={young: 1}', or"),
        (Values(["size", "hue"], of=["size"]), {"hue": 1}, "There is no label for mode.label 'hue'. Valid: size."),
    ],
)
def test_a_label_that_does_not_exist_is_refused_with_those_that_do(condition, label, said):
    with pytest.raises(UsageError) as error:
        condition.ask(label, 1)
    assert str(error.value).startswith(said)


def test_labels_are_left_out_row_by_row():
    rows = torch.tensor([True, False])
    assert Classes(["a"]).without(torch.tensor([0, 0]), rows).tolist() == [-1, 0]
    assert Attributes(["a", "b"]).without(torch.tensor([[1, 0], [1, 0]]), rows).tolist() == [[-1, -1], [1, 0]]


def test_the_data_say_what_their_labels_are_called(tmp_path, monkeypatch):
    digits, shapes = (build(config(*o).data) for o in (["data.limit=10"], ["data=shapes", "data.source.n_images=50"]))
    assert Classes.learn(digits) == {"names": [str(k) for k in range(10)]}
    assert Values.learn(shapes)["of"] == ["size", "rotation", "x", "y"]
    assert Values.learn(shapes, of=["x"]) == {"names": ["shape", "colour", "size", "rotation", "x", "y"], "of": ["x"]}
    animals = build(config("data=folder", "data.size=8", *folder(tmp_path, monkeypatch)).data)
    assert Classes.learn(animals) == {"names": ["cats", "dogs"]}


def test_faces_have_forty_attributes(tmp_path, monkeypatch):
    faces = build(config("data=celeba", "data.size=8", *celeba(tmp_path, monkeypatch)).data)
    assert Attributes.learn(faces)["of"][:2] == ["5_o_Clock_Shadow", "Arched_Eyebrows"]
    with pytest.raises(UsageError, match=r"does not fit the labels of celeba, 40 entries an image: type .*=attributes"):
        Classes.learn(faces)
    with pytest.raises(UsageError, match=r"There is no label for model.condition.of 'Smilling'. Valid: 5_o_Clock_Shad"):
        Attributes.learn(faces, of=["Smilling"])


@pytest.mark.parametrize(
    ("kind", "labels", "remedy"),
    [
        (Attributes, torch.tensor([0, 1, 2]), "class"),
        (Values, torch.tensor([0, 1, 2]), "class"),
        (Classes, torch.tensor([[0, 1], [1, 0]]), "attributes"),
        (Values, torch.tensor([[0, 1], [1, 0]]), "attributes"),
        (Attributes, torch.tensor([[0.3], [0.5]]), "value"),
        (Classes, torch.tensor([[0.3], [0.5]]), "value"),
        (Classes, torch.arange(1002), "none"),
    ],
)
def test_a_condition_that_does_not_fit_the_labels_is_refused_with_the_one_that_does(kind, labels, remedy):
    with pytest.raises(UsageError, match=rf"model/condition={kind.typed} does not fit .*: type .*condition={remedy}\."):
        kind.learn(known(labels))


def test_a_folder_without_classes_has_no_labels(tmp_path):
    for number in range(20):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / f"{number}.png")
    flat = build(config("data=folder", "data.size=8", f"data.root={tmp_path}").data)
    with pytest.raises(UsageError, match=r"model/condition=class needs labels, and the images of .* have none: type"):
        Classes.learn(flat)


def test_what_is_not_known_yet_can_be_built_but_not_trained():
    with pytest.raises(UsageError, match=r"model.condition does not know the labels of these data"):
        Classes().fit(torch.tensor([0, 1]))
    with pytest.raises(UsageError, match=r"model.condition does not know the labels of these data"):
        Attributes(["a", "b"]).fit(torch.tensor([[0, 1, 1]]))
