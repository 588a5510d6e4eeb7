"""The codes of images as points."""

import importlib.util
import json
import re
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
import torch
from looking import Decoder, Linear, run_of
from PIL import Image

from genlab.data.labels import LabelColumn
from genlab.errors import UsageError
from genlab.modes import Embed
from genlab.modes.embed import WAYS
from genlab.modes.scatter import FAINT, colours_of

LEVELS = torch.tensor([[0, 0], [0, 250], [100, 0], [100, 250], [50, 125]])
LABELS = torch.tensor([0, 0, 1, 1, -1])


def scatter(**options):
    run = run_of(Linear([1.0, 1.0]), LEVELS, LABELS, label_names=["cat", "</script><b>"])
    return Embed(**options)(run, torch.Generator().manual_seed(0))


def arrays_of(drawing):
    content = BytesIO()
    drawing.write(content, ".npz")
    content.seek(0)
    return np.load(content)


def test_principal_components_turn_codes_and_keep_their_distances():
    arrays = arrays_of(scatter())
    codes, points = arrays["codes"], arrays["points"]
    assert codes == pytest.approx(LEVELS.numpy() / 127.5 - 1)
    assert np.abs(points[:, 0]) == pytest.approx(np.array([125, 125, 125, 125, 0]) / 127.5, abs=1e-6)  # the longer side
    assert np.abs(points[:, 1]) == pytest.approx(np.array([50, 50, 50, 50, 0]) / 127.5, abs=1e-6)
    assert arrays["labels"].tolist() == LABELS.tolist()


def test_groups_that_lie_far_apart_stay_apart_under_tsne(generator):
    """Two clouds of 30 codes, 50 of their deviations apart: no point is nearer to the other cloud's middle."""
    codes = torch.randn(60, 4, generator=generator)
    codes[30:] += 50
    points = torch.from_numpy(WAYS["tsne"](codes.numpy(), 0))
    middles = torch.stack([points[:30].mean(0), points[30:].mean(0)])
    assert torch.equal(torch.cdist(points, middles).argmin(1), torch.arange(60) // 30)


def test_tsne_prints_nothing_and_gives_the_same_points_for_the_same_seed(generator, capsys):
    codes = torch.randn(20, 3, generator=generator).numpy()
    assert (WAYS["tsne"](codes, 1) == WAYS["tsne"](codes, 1)).all()
    assert capsys.readouterr().out == ""


def test_a_page_holds_every_point_and_image_and_asks_no_server():
    page = scatter().page()
    assert not re.search(r"https?://|src=|href=|@import", page.replace("picture.src = sprite.uri", ""))
    places, colours, texts, sprite = (
        json.loads(re.search(rf"{name} = (.+?)(?:, (?:colours|texts|sprite) = |;\n)", page)[1])
        for name in ("places", "colours", "texts", "sprite")
    )
    assert len(places) == len(colours) == len(texts) == len(LEVELS)
    assert np.ptp(np.array(places), axis=0) == pytest.approx([1, 0.4], abs=1e-4)
    assert colours[4] == FAINT
    assert (texts[0], texts[4]) == ("cat", "no label")
    with Image.open(BytesIO(b64decode(sprite["uri"].partition(",")[2]))) as picture:
        pixels = np.asarray(picture)
    assert (sprite["side"], sprite["n_columns"]) == (8, 3)  # five images of 8 pixels, in two rows of three
    assert pixels.shape == (16, 24)
    assert [pixels[0, 8], pixels[0, 9], pixels[8, 8], pixels[8, 9]] == [0, 250, 50, 125]  # the second and the fifth


def test_names_of_labels_are_no_code_of_a_page():
    page = scatter().page()
    assert "</script><b>" not in page
    assert "&lt;/script&gt;&lt;b&gt;" in page
    assert page.count("</script>") == 1


def test_the_legend_of_a_picture_has_every_class_by_whatever_name():
    """Marks of the legend have the plain colours; points are transparent."""
    run = run_of(Linear([1.0, 1.0]), LEVELS, LABELS, label_names=["_cat", "$dog$\n"])
    content = BytesIO()
    Embed()(run, torch.Generator()).write(content, ".png")
    with Image.open(content) as picture:
        colours = {pixel for _, pixel in picture.convert("RGB").getcolors(picture.width * picture.height)}
    assert {(31, 119, 180), (255, 127, 14), (180, 180, 180)} <= colours


def test_a_picture_has_the_format_of_its_ending():
    content = BytesIO()
    scatter().write(content, ".webp")
    assert Image.open(content).format == "WEBP"


def column(values, classes):
    return LabelColumn("some", torch.tensor(values), classes)


def test_classes_have_a_legend_and_numbers_a_scale():
    by_class = colours_of(column([0, 1, 0, -1], {0: "cat", 1: "dog"}), 4)
    assert [*by_class.legend] == ["cat", "dog", "no label"]
    assert by_class.points[0] == by_class.points[2] == by_class.legend["cat"]
    assert by_class.points[3] == by_class.legend["no label"] == FAINT
    assert by_class.ends is None
    factor = colours_of(column([0.5, -1.0, 2.0], {}), 3)
    assert factor.legend == {}
    assert factor.ends == (-1.0, 2.0)
    assert len({*factor.points}) == 3


def test_more_classes_than_colours_have_a_scale_too():
    numbers = list(range(50))
    found = colours_of(column([*numbers, -1], {number: f"class {number}" for number in numbers}), 51)
    assert found.ends == (0, 49)
    assert found.points[-1] == FAINT
    assert colours_of(None, 2) == ([FAINT, FAINT], {}, None)


def test_a_label_is_chosen_by_its_name_or_number():
    labels = torch.tensor([[0, 3.5]] * 5)
    run = run_of(Linear([1.0, 1.0]), LEVELS, labels, label_names=["Smiling", "age"])
    for colour, name in ((None, "Smiling"), ("age", "age"), ("1", "age"), ("0", "Smiling")):
        assert Embed(colour=colour)(run, torch.Generator()).column.name == name
    with pytest.raises(UsageError, match=r"There is no label for mode\.colour 'Age'\. .* Valid: Smiling, age\."):
        Embed(colour="Age")(run, torch.Generator())


def test_images_without_labels_are_points_all_the_same(generator):
    run = run_of(Linear([1.0, 1.0]), LEVELS, torch.full((5,), -1))
    drawing = Embed()(run, generator)
    assert drawing.column is None
    assert drawing.picture().width > 500
    assert "const places" in drawing.page()


def test_at_most_n_images_are_taken_from_all_over_the_split():
    assert arrays_of(scatter(n=3))["labels"].tolist() == [0, 0, 1]  # rows 0, 1 and 3 of 5


def test_too_few_images_are_refused():
    with pytest.raises(UsageError, match="mode=embed needs 3 images or more, not 2"):
        scatter(n=2)


def test_a_package_that_is_missing_is_named_before_anything_is_read(monkeypatch):
    monkeypatch.setattr("genlab.modes.embed.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'mode\.by=umap needs .* type pip install -e "\.\[umap\]"'):
        Embed(by="umap")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of packages that umap-learn could use
@pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="the extra umap is not installed")
def test_groups_stay_apart_under_umap(generator):
    codes = torch.randn(60, 4, generator=generator)
    codes[30:] += 50
    points = torch.from_numpy(WAYS["umap"](codes.numpy(), 0))
    middles = torch.stack([points[:30].mean(0), points[30:].mean(0)])
    assert torch.equal(torch.cdist(points, middles).argmin(1), torch.arange(60) // 30)


def test_codes_of_one_number_or_none_are_no_plane():
    assert "an encoder, which Decoder has not" in Embed.why_not(run_of(Decoder([1.0, 1.0]), LEVELS))
    assert "two entries or more" in Embed.why_not(run_of(Linear([1.0]), LEVELS))
