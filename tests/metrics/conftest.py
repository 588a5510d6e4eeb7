"""Fixtures of the metrics' tests."""

import random

import numpy as np
import pytest
import torch


@pytest.fixture
def unmoved():
    """Fail a test that moves one of the global random generators."""
    torch_state, numpy_state, python_state = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    yield
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert str(np.random.get_state()) == str(numpy_state)  # noqa: NPY002
    assert random.getstate() == python_state
