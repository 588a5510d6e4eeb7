"""Two real gloo processes."""

import json

import pytest
import torch
from ddp_worker import NAMES, OWN, RUNS, state_after_training
from settings import TINY
from typed import run_two, type_in

QUICK = ("vae", "gan", "vqvae")  # one that Lightning steps, one of players, one with a codebook


def marked(*values):
    """A case, which is slow for most models."""
    return pytest.param(*values, marks=() if values[0] in QUICK else pytest.mark.slow)


def after_training(folder, names):
    run_two("ddp_worker.py", folder, *names, cwd=folder)
    return [torch.load(folder / f"rank{rank}.pt") for rank in (0, 1)]


@pytest.fixture(scope="module")
def quick_ranks(tmp_path_factory):
    return after_training(tmp_path_factory.mktemp("quick_ranks"), QUICK)


@pytest.fixture(scope="module")
def slow_ranks(tmp_path_factory):
    return after_training(tmp_path_factory.mktemp("slow_ranks"), [name for name in NAMES if name not in QUICK])


@pytest.fixture
def ranks(name, request):
    """What two processes hold after training: {(model, joint noise): state} of each."""
    return request.getfixturevalue("quick_ranks" if name in QUICK else "slow_ranks")


def weights(state):
    return {name: value for name, value in state.items() if name.startswith(("raw", "averaged"))}


@pytest.mark.parametrize(("name", "joint"), [marked(*run) for run in RUNS])
def test_both_processes_end_with_identical_weights(ranks, name, joint):
    first, second = (weights(rank[name, joint]) for rank in ranks)
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


# The MMD and the drift compare all of a process's own batch, so two halves of a batch don't add up to the whole.
@pytest.mark.parametrize("name", [marked(name) for name in NAMES if name not in ("wae", "drifting")])
def test_two_processes_equal_one_on_the_joint_batch_with_the_joint_noise(ranks, name):
    alone = weights(state_after_training(name, "cpu", joint_noise=True))
    for key, value in weights(ranks[0][name, True]).items():
        torch.testing.assert_close(value, alone[key], atol=1e-6, rtol=1e-4, msg=key)


@pytest.mark.parametrize("name", [marked(name) for name in OWN])
def test_training_moved_the_weights_that_are_compared(ranks, name):
    with_joint, with_own_noise = (weights(ranks[0][name, joint]) for joint in (True, False))
    assert any(not torch.equal(value, with_own_noise[key]) for key, value in with_joint.items())


@pytest.mark.parametrize("name", [marked(name) for name in OWN])
def test_each_process_draws_its_own_z(ranks, name):
    first, second = (rank[name, False]["z of this process"] for rank in ranks)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", [marked(name) for name in NAMES if name not in ("vqvae", "vqgan", "klgan")])
def test_each_players_gradients_are_averaged_once_in_a_step(ranks, name):
    """The first stages also average what the weight of D and their priors follow. DDP may send in parts."""
    for rank in ranks:
        sent, owned = (rank[name, True][key].tolist() for key in ("bytes averaged", "bytes of players"))
        assert sent == owned or len(owned) == 1
        assert sum(sent) == sum(owned)


@pytest.mark.slow  # test_resume.py has the command line in two processes too
@pytest.mark.parametrize("name", ["gan", pytest.param("vae", marks=pytest.mark.rare)])
def test_the_command_line_trains_in_two_processes_and_leaves_one_run_folder(name, tmp_path):
    few = ("callbacks.frechet.n_samples=10", "data.limit=32", "data.batch_size=8", "trainer.max_epochs=1")
    result = type_in("train", *TINY[4:], *few, f"model={name}", "trainer=ddp_cpu", cwd=tmp_path, OMP_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr
    assert "find_unused_parameters" not in result.stderr
    (run,) = (tmp_path / "logs" / "train" / "runs").iterdir()
    assert (run / "checkpoints" / "best.ckpt").is_file()
    assert [line.split(",")[0] for line in (run / "metrics.csv").read_text().splitlines()[1:]] == [
        "0",
        "1",
        "1",
    ]


@pytest.mark.slow
def test_two_processes_end_with_one_prior_that_was_fitted_and_scores_the_run(tmp_path):
    few = ("callbacks.frechet.n_samples=10", "data.limit=32", "data.batch_size=8", "trainer.max_epochs=1")
    typed = (*TINY[4:], *few, "model=vae", "prior=gaussian", "trainer=ddp_cpu")
    result = type_in("train", *typed, cwd=tmp_path, OMP_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr
    (run,) = (tmp_path / "logs" / "train" / "runs").iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "completed"
    assert summary["score"]["name"].startswith("gaussian/")
    assert [path.name for path in (run / "priors").iterdir()] == ["gaussian.ckpt"]
