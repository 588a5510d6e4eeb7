"""Whether conditional models make what they are asked for, as a number."""

import numpy as np
import pytest
import torch
from looking import Known
from settings import config
from toy import Toy

from genlab.commands.evaluate import evaluate
from genlab.conditions import Attributes, Classes, Values
from genlab.data import ImageDataModule
from genlab.evaluation import LabelAccuracy, NotApplicable, PerLabel, SecondOpinion, Subject
from genlab.metrics.classifier import trained_classifier

N = 120
GREY = torch.tensor([20, 230])  # of two classes


def images_of(labels):
    """Grey images (N, 1, 8, 8), dark ones of class 0 and bright ones of class 1, with noise."""
    noise = torch.randint(0, 25, (len(labels), 1, 8, 8), generator=torch.Generator().manual_seed(0))
    return (GREY[labels.long()].view(-1, 1, 1, 1) + noise).to(torch.uint8)


class Obedient(Toy):
    """Makes what it is asked for, or its opposite."""

    def __init__(self, condition):
        super().__init__(lambda z: z)
        self.condition = condition


def subject(labels, asked, made, condition, tmp_path=None):
    """Samples of the classes `made` that were asked for as `asked`."""
    data = ImageDataModule(Known(images_of(labels), labels), "known", 1, 8, (1, 8, 8), 1)
    samples = images_of(made)
    encoder = Mean()
    model = Obedient(condition)
    where = (data, encoder, torch.device("cpu"), tmp_path, model)
    return Subject("toy", lambda rows: samples[rows], len(made), *where, labels=asked)


class Mean:
    """Describes an image by its mean level and that of its upper half."""

    name = metric = "fd_mean"
    layer = library = resize = "none"
    dim = 2

    def __call__(self, images):
        levels = images.float() / 255
        return torch.stack([levels.mean((1, 2, 3)), levels[:, :, :4].mean((1, 2, 3))], 1)


@pytest.fixture
def labels():
    return torch.arange(N) % 2


def test_a_model_that_obeys_is_right_and_one_that_does_the_opposite_is_wrong(labels, tmp_path):
    condition = Classes(["dark", "bright"])
    for made, value in ((labels, 1.0), (1 - labels, 0.0), (torch.zeros_like(labels), 0.5)):
        (found,) = LabelAccuracy()(subject(labels, labels, made, condition, tmp_path))
        assert found.value == pytest.approx(value, abs=0.02)
        assert found.note == f"the classifier finds the label of 100.0% of {N} test images"
        assert (found.stamp.metric, found.stamp.n_fake, found.stamp.n_real) == ("label_accuracy", N, N)
    assert len(list(tmp_path.glob("classifier_*.npz"))) == 1


def test_samples_that_were_asked_for_without_a_label_count_for_nothing(labels):
    asked = torch.where(torch.arange(N) < 60, labels, -1)
    made = torch.where(torch.arange(N) < 60, labels, 1 - labels)
    (found,) = LabelAccuracy()(subject(labels, asked, made, Classes(["dark", "bright"])))
    assert found.value == pytest.approx(1)


def test_the_distance_of_each_class_is_large_where_classes_are_swapped(labels):
    condition = Classes(["dark", "bright"])
    (right,), (swapped,) = (list(PerLabel()(subject(labels, labels, m, condition))) for m in (labels, 1 - labels))
    gap = (GREY[1] - GREY[0]).item() / 255
    assert right.value == pytest.approx(0, abs=1e-3)
    assert swapped.value == pytest.approx(2 * gap**2, rel=0.01)  # of two means
    assert len(swapped.entries) == 2
    assert swapped.note.startswith("dark ")
    assert swapped.stamp.settings == "mean over 2 of 2 labels, of 50 images or more each"


def test_a_class_of_few_images_is_left_out_and_of_few_alone_nothing_is_said():
    labels = (torch.arange(N) < 100).long()
    condition = Classes(["dark", "bright"])
    (found,) = PerLabel()(subject(labels, labels, labels, condition))
    assert found.stamp.settings == "mean over 1 of 2 labels, of 50 images or more each"
    with pytest.raises(NotApplicable, match="no label has 101 samples and as many train images"):
        list(PerLabel(n_images=101)(subject(labels, labels, labels, condition)))


def test_each_attribute_is_a_question_of_its_own(labels):
    y = torch.stack([labels, 1 - labels], 1)
    half = torch.stack([labels, labels], 1)  # what is asked for; the second is not what is made
    (found,) = LabelAccuracy()(subject_of(y, half, labels, Attributes(["bright", "dark"])))
    assert found.value == pytest.approx(0.5, abs=0.02)


def subject_of(y, asked, made, condition):
    found = subject(y[:, 0], asked, made, condition)
    found.datamodule = ImageDataModule(Known(images_of(y[:, 0]), y), "known", 1, 8, (1, 8, 8), 1)
    return found


@pytest.mark.parametrize("measure", [PerLabel(), LabelAccuracy()])
def test_numbers_and_models_without_labels_have_neither(measure, labels):
    y = torch.rand(N, 1)
    with pytest.raises(NotApplicable):
        list(measure(subject_of(torch.cat([labels[:, None].float(), y], 1), y, labels, Values(["a", "b"]))))
    with pytest.raises(NotApplicable, match="the samples were not asked for by a label"):
        list(measure(subject(labels, None, labels, None)))


def test_a_classifier_is_the_same_again_and_changes_no_random_state(labels, tmp_path):
    images, before = images_of(labels), torch.get_rng_state()
    how = (labels[:, None], [2], "cpu")
    first, cached, anew = (trained_classifier(images, *how, folder) for folder in (tmp_path, tmp_path, None))
    assert torch.equal(torch.get_rng_state(), before)
    x = torch.rand(3, 1, 8, 8)
    assert torch.equal(first(x)[0], cached(x)[0])
    assert torch.equal(first(x)[0], anew(x)[0])
    assert not first.training


def test_a_damaged_classifier_is_trained_again(labels, tmp_path, caplog):
    how = (images_of(labels), labels[:, None], [2], "cpu", tmp_path)
    first = trained_classifier(*how)
    (path,) = tmp_path.glob("classifier_*.npz")
    path.write_bytes(path.read_bytes()[:100])
    x = torch.rand(3, 1, 8, 8)
    assert torch.equal(trained_classifier(*how)(x)[0], first(x)[0])
    assert "the classifier is trained again" in caplog.text
    with np.load(path) as file:
        assert len(file.files) > 5


def test_eval_measures_a_conditional_run(labelled_run, shared_data, tmp_path):
    few = ("metrics.n_samples=64", "~metrics.measures.inversion", "~metrics.measures.likelihood", "trainer=cpu")
    only = ("metrics.measures.per_label.n_images=3", f"paths.data_dir={shared_data}")
    (found,) = evaluate(config(f"run={labelled_run.path}", *few, *only, run_dir=tmp_path, name="eval"))
    assert 0 <= found.measurements["label_accuracy"].value <= 1
    assert found.measurements["fd_efficientnet_lite0_per_label"].value > 0


def test_a_second_opinion_is_near_for_the_datas_own_images_and_far_where_a_class_is_missing(labels, tmp_path):
    def opinion(made):
        return next(SecondOpinion()(subject(labels, labels, made, None, tmp_path)))

    own, one_class = opinion(labels), opinion(torch.ones_like(labels))
    assert own.value < 0.01 * one_class.value
    assert (own.stamp.metric, own.stamp.encoder) == ("fd_classifier", "classifier")
    assert len(list(tmp_path.glob("classifier_*.npz"))) == 2  # what it is, and what it says of the reference


def test_without_classes_there_is_no_second_opinion():
    with pytest.raises(NotApplicable, match="known have no classes or attributes"):
        next(SecondOpinion()(subject(torch.zeros(N).long(), None, torch.zeros(N), None)))
