"""The search space, as it is typed."""

import pytest
from hydra.errors import OverrideParseException
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from genlab.errors import UsageError
from genlab.search.space import parse

TYPED = [
    ("k=choice(8,32,128)", CategoricalDistribution([8, 32, 128])),
    ("k=8,32,8", CategoricalDistribution([8, 32])),
    ("k=0.5,true,a,null", CategoricalDistribution([0.5, "True", "a", "null"])),
    ("k=choice([1,2],'a b')", CategoricalDistribution(["[1,2]", r"a\ b"])),
    ("model/encoder=conv,mlp", CategoricalDistribution(["conv", "mlp"])),
    ("k=interval(1,3)", FloatDistribution(1.0, 3.0)),
    ("k=int(interval(1,3))", IntDistribution(1, 3)),
    ("k=tag(log,interval(1e-5,1e-2))", FloatDistribution(1e-5, 1e-2, log=True)),
    ("k=tag(log,int(interval(1,64)))", IntDistribution(1, 64, log=True)),
    ("k=range(2,10,4)", IntDistribution(2, 6, step=4)),
    ("k=range(3)", IntDistribution(0, 2)),
    ("k=range(10,2,-4)", IntDistribution(6, 10, step=4)),
    ("k=range(0,1,0.25)", FloatDistribution(0, 0.75, step=0.25)),
    ("+k=interval(0,1)", FloatDistribution(0.0, 1.0)),
]


@pytest.mark.parametrize(("typed", "expected"), TYPED, ids=[typed for typed, _ in TYPED])
def test_hydras_sweeps_are_read_as_optunas_distributions(typed, expected):
    assert parse([typed]).distributions == {typed.split("=")[0]: expected}


def test_what_has_one_value_passes_through_and_what_is_removed_too():
    space = parse(["model=gan", "k=choice('a b',c)", "~callbacks.samples", "data.crop=[1,2]", "tags=[x]"])
    assert space.overrides({"k": "'a b'"}) == [
        "model=gan",
        "~callbacks.samples",
        "data.crop=[1,2]",
        "tags=[x]",
        "k='a b'",
    ]


def test_searches_are_told_apart_by_all_that_bears_on_the_result():
    same = [parse(["k=1,2", "a=1", other]).typed for other in ("a.b=0", "~c")]
    assert same[0] != same[1]
    assert parse(["k=1,2", "tags=[x]"]).typed == parse(["k=1,2", "logger=wandb", "resume=auto"]).typed


WRONG = [
    ("k=interval(3,1)", "k=interval(3,1) can't be searched: "),
    ("k=int(interval(9,1))", "(low=9, high=1)"),
    ("k=tag(log,interval(0,1))", "k=tag(log,interval(0,1)) can't be searched: "),
    ("k=tag(log,range(-1,3))", "k=tag(log,range(-1,3)) can't be searched: "),
    ("k=tag(log,range(1,9,2))", "k=tag(log,range(1,9,2)) can't be searched: "),
    ("k=tag(log,choice(1,2))", "k can't have the tag log"),
    ("k=tag(lin,interval(1,2))", "k has the tag lin"),
    ("k=range(3,1)", "k=range(3,1) can't be searched: there is no value in it"),
    ("k=range(1,3,0)", "k=range(1,3,0) can't be searched: there is no value in it"),
    ("model=glob(*)", "model=glob(*) can't be searched: list the values, as model=choice(A,B)"),
    ("k=3", "There is nothing to search: give a key several values, such as 'model.latent_dim=choice("),
    ("sweep=a,b", "sweep can't be searched"),
    ("logger=none,wandb", "logger can't be searched"),
]


@pytest.mark.parametrize(("typed", "sentence"), WRONG, ids=[typed for typed, _ in WRONG])
def test_what_can_not_be_searched_is_said_in_one_sentence_that_names_the_key(typed, sentence):
    with pytest.raises(UsageError) as error:
        parse([typed])
    assert sentence in str(error.value)


def test_a_key_that_is_given_twice_is_refused():
    with pytest.raises(UsageError, match="k is given twice"):
        parse(["k=1", "k=1,2"])


def test_an_empty_choice_is_refused_by_hydra_itself():
    with pytest.raises(OverrideParseException, match="choice"):
        parse(["k=choice()"])
