"""Wrong inputs of sample.py: what is typed, and what comes back."""

import pytest
from settings import config
from typed import assert_refused, type_in

from genlab.cli import USER_ERRORS
from genlab.commands.sample import sample
from genlab.sentences import sentence

REFUSED = [
    (["mode=mosaic"], "There is no mode 'mosaic'. Valid: animate, arithmetic,"),
    (
        ["mode._target_=genlab.data.Digits"],
        "mode._target_=genlab.data.Digits is refused: mode takes a class derived from genlab.modes.mode.Mode.",
    ),
    (["mode=traverse", "mode.dims=3"], "mode.dims=3 is not possible: it must be null or a list."),
    (["mode=traverse", "mode.dims=[3,x]"], "mode.dims[1]=x is not possible: it must be a whole number of at least 0."),
    (["mode=traverse", "mode.dims=[-1]"], "mode.dims[0]=-1 is not possible: it must be a whole number of at least 0."),
    (["mode=traverse", "mode.dims=[3,99]"], "mode.dims=[99] is not possible: the codes of this run have the entries 0"),
    (["mode=traverse", "mode.of=prior"], "There is no value of mode.of 'prior'. Valid: data, origin."),
    (
        ["mode=traverse", "mode.of=data", "mode.image=64"],
        "mode.image=64 is not possible: the test images are those from",
    ),
    (["mode=traverse", "mode.steps=1"], "mode.steps=1 is not possible: it must be a whole number of at least 2."),
    (["mode=manifold", "mode.n=1"], "mode.n=1 is not possible: it must be a whole number of at least 2."),
    (["mode=manifold", "mode.format=html"], "There is no value of mode.format 'html'. Valid: npz, null, png."),
    (["mode=arithmetic", "mode.from=3"], "mode=arithmetic takes two labels, mode.from=NAME mode.to=NAME, or one,"),
    (["mode=arithmetic", "mode.from=3", "mode.to=ten"], "There is no label for mode.to 'ten'. Valid: 0, 1, 2, 3,"),
    (["mode=arithmetic", "mode.plus=Smiling"], "There is no label for mode.plus 'Smiling'. Valid: 0, 1, 2, 3,"),
    (["mode=arithmetic", "mode.scale=0"], "mode.scale=0 is not possible: it must be a finite number above 0."),
    (["mode=embed", "mode.by=lda"], "There is no value of mode.by 'lda'. Valid: pca, tsne, umap."),
    (["mode=embed", "mode.split=official"], "There is no value of mode.split 'official'. Valid: test, train, val."),
    (["mode=embed", "mode.colour=size"], "There is no label for mode.colour 'size'. Valid: label."),
    (
        ["mode=embed", "mode.n=2"],
        "mode=embed needs 3 images or more, not 2: type a larger mode.n, or mode.split=train.",
    ),
    (["mode=embed", "output=x.gif"], "output=x.gif: There is no ending of a file '.gif'."),
    (
        ["mode=grid", "mode.temperature=-1"],
        "mode.temperature=-1 is not possible: it must be a finite number of at least 0.",
    ),
    (["mode=animate", "mode.fps=60"], "mode.fps=60 is not possible: it must be a whole number from 1 to 50."),
    (["mode=animate", "mode.of=data"], "There is no value of mode.of 'data'. Valid: training, walk."),
    (["mode=animate", "mode.seconds=0"], "mode.seconds=0 is not possible: it must be a finite number above 0."),
    (["mode=animate", "output=x.avi"], "output=x.avi: There is no ending of a file '.avi'. Valid: .gif, .mp4."),
    (["mode=animate", "mode.of=training"], "mode.of=training needs two pictures or more in samples/ of a run folder,"),
    (
        ["mode=invert", "mode.starts=2000"],
        "mode.starts=2000 is not possible: it must be a whole number from 1 to 1000.",
    ),
    (["mode=invert", "mode.input=nowhere"], "mode.input=nowhere does not exist"),
    (["mode=neighbours", "mode.k=0"], "mode.k=0 is not possible: it must be a whole number of at least 1."),
    (["mode=neighbours", "mode.k=65"], "mode.k=65 is more than the 64 training images of this run."),
    (
        ["mode=neighbours", "features._target_=genlab.modes.Grid"],
        "features._target_=genlab.modes.Grid is refused: features takes a class derived from",
    ),
    (["mode.label=3"], "mode.label=3 is for a model that was trained with labels, as model/condition=class does, and"),
    (["mode.label=[3,4]"], "mode.label=[3,4] is not possible: it must be null or a text or a mapping"),
    (["mode=reconstruct", "mode.input=nowhere"], "mode.input=nowhere does not exist"),
]


@pytest.mark.parametrize(("typed", "said"), REFUSED, ids=lambda part: " ".join(part) if isinstance(part, list) else "")
def test_what_a_run_can_not_show_is_said_in_one_sentence(typed, said, vae_run, tmp_path):
    with pytest.raises(USER_ERRORS) as error:
        sample(config(f"run={vae_run.path}", *typed, run_dir=tmp_path, name="sample"))
    assert sentence(error.value).startswith(said)


TYPED = [
    (["mode=embed", "mode.by=pca", "mode.colour=0", "mode.n=two"], "mode.n=two is not possible: it must be a whole"),
    (["mode=arithmetic", "mode.fro=3"], "There is no mode key 'fro'. Did you mean 'from'?"),
]


@pytest.mark.parametrize(("typed", "said"), TYPED, ids=lambda part: " ".join(part) if isinstance(part, list) else "")
def test_the_command_says_so_too(typed, said, tmp_path):
    assert_refused(type_in("sample", "run=x", *typed, cwd=tmp_path), said)
