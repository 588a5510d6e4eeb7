"""The multilayer perceptron."""

from torch import nn

from genlab.networks import MLP


def test_the_depth_of_an_mlp_is_its_number_of_hidden_layers():
    linear = [m for m in MLP((1, 8, 8), (3,), width=16, depth=3).modules() if isinstance(m, nn.Linear)]
    assert [layer.out_features for layer in linear] == [16, 16, 16, 3]


def test_names_of_weights_stay_so_that_checkpoints_load():
    assert list(MLP((1, 8, 8), (3,), depth=1).state_dict()) == [
        "layers.1.weight",
        "layers.1.bias",
        "layers.3.weight",
        "layers.3.bias",
    ]
