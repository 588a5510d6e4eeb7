"""Averages of a run's weights over any share of training, put together afterwards from a few that were stored.

A power-function average weighs the weights at time t by t^gamma (Karras et al. 2024, arXiv 2312.02696, section 3.1).
Its width is the standard deviation of that profile as a share of the training time so far.
"""

from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genlab.errors import UsageError
from genlab.files import atomic_write
from genlab.foreign import own_path
from genlab.run.checkpoint import explain_damage, load_plain, write_checkpoint

FOLDER = "profiles"  # beside the checkpoints
WORST = 0.1  # how far a profile may be from the one that is asked for without a warning


def exponent(width: float) -> float:
    """gamma of the profile of a relative width below 0.289 (there eq. 2 and algorithm 2), above -1.

    The width squared is (gamma + 1) / ((gamma + 2)^2 (gamma + 3)): a cubic equation, of which it is the largest root.
    """
    t = width**-2
    return float(np.roots([1, 7, 16 - t, 12 - t]).real.max())


def decay(n_images: float, images_seen: float, gamma: float) -> float:
    """The share of an average that stays after n more images, `images_seen` in all (there eq. 3)."""
    return (1 - n_images / images_seen) ** (gamma + 1)


def inner_products(times: np.ndarray, gammas: np.ndarray, others: np.ndarray, gammas_of_others: np.ndarray) -> Any:
    """Integrals of products of two profiles, each of mass 1 up to its time (there appendix C.3): (A,), (B,) to (A, B).

    For times a <= b and exponents i and j that is (i + 1) (j + 1) / (i + j + 1) (a / b)^j / b.
    """
    a, i, b, j = times[:, None], gammas[:, None], others[None], gammas_of_others[None]
    ratio = (a / b) ** np.where(a < b, j, -i)
    return (i + 1) * (j + 1) * ratio / ((i + j + 1) * np.maximum(a, b))


def coefficients(times: Any, gammas: Any, time: float, gamma: float) -> tuple[np.ndarray, float]:
    """What to multiply stored averages by so that their sum is closest to another one (there algorithm 3).

    Args:
        times, gammas: of the stored ones, (A,) each; times are images seen.
        time, gamma: of the one that is wanted.

    Returns:
        The coefficients (A,), and how far their profile is from the wanted one, as a share of the latter's norm.
    """
    times, gammas = np.asarray(times, float) / time, np.asarray(gammas, float)
    target = np.ones(1), np.full(1, gamma)
    products, wanted = inner_products(times, gammas, times, gammas), inner_products(times, gammas, *target)[:, 0]
    found = np.linalg.lstsq(products, wanted, rcond=1e-14)[0]
    norm = inner_products(*target, *target).item()
    left = norm - 2 * found @ wanted + found @ products @ found
    return found, sqrt(max(0.0, left) / norm)


def store(folder: Path, images: int, averages: dict[float, dict[str, torch.Tensor]]) -> None:
    """Write the averages after so many images, by their widths: a file of tensors and numbers alone."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {"images": images, "widths": list(averages), "averages": list(averages.values())}
    with atomic_write(folder / f"{images:012d}.pt") as unfinished:
        write_checkpoint(state, unfinished)


def reconstruct(checkpoints: Path, width: float, until: int) -> tuple[dict[str, torch.Tensor], float]:
    """Put together the average of a relative width, over all of training until an image.

    Args:
        checkpoints: folder of the run's checkpoints.
        width: of the profile, as a share of the training time.
        until: images seen; the newest average that was stored by then is where the profile ends.

    Returns:
        Weights by name, and how far their profile is from the one that is asked for, as a share.

    Raises:
        UsageError: if nothing was stored.
    """
    folder = checkpoints / FOLDER
    names = sorted(path.name for path in folder.glob("*.pt") if path.stem.isdigit() and int(path.stem) <= until)
    if not names:
        raise UsageError(
            f"ema={width:g} is put together from averages that training stores, and {folder} holds none: train with "
            '"callbacks=[without_encoder,posthoc]", or with an encoder "callbacks=[default,posthoc]".'
        )
    found, off = _coefficients(folder, names, width)
    total: dict[str, torch.Tensor] = {}
    for name, shares in zip(names, found, strict=True):
        for share, average in zip(shares, _read(folder, name)["averages"], strict=True):
            for key, value in average.items():
                if not value.is_floating_point():
                    total[key] = value  # counters of batches: the newest
                else:
                    total[key] = total.get(key, 0.0) + share * value.double()
    return {key: _as_weight(key, value) for key, value in total.items()}, off


def _coefficients(folder: Path, names: list[str], width: float) -> tuple[np.ndarray, float]:
    """Those of each file and each of the widths in it, (files, widths)."""
    gammas = [exponent(stored) for stored in _read(folder, names[0])["widths"]]
    times = np.repeat([float(name.partition(".")[0]) for name in names], len(gammas))
    found, off = coefficients(times, np.tile(gammas, len(names)), times[-1], exponent(width))
    return found.reshape(len(names), -1), off


def _read(folder: Path, name: str) -> dict[str, Any]:
    path = own_path(folder, name)
    with explain_damage(path):
        state = load_plain(path)
        if not isinstance(state, dict) or not {"widths", "averages"} <= state.keys():
            raise ValueError("it holds no averages")
        return state


def _as_weight(key: str, value: torch.Tensor) -> torch.Tensor:
    value = value.float() if value.is_floating_point() else value
    return value.clamp_min(0) if key.endswith("running_var") else value  # coefficients may be negative
