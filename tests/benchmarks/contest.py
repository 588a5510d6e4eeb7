"""How contestants are timed: in turn, as ratios."""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]


def header() -> None:
    """Print what the columns are."""
    print(f"{'contestants':75s}  ratio   (lowest to highest)")


def compare(name: str, first: Callable[[], float], second: Callable[[], float], rounds: int = 5) -> None:
    """Run both once to warm up, then in turn. Each returns its seconds. Above 1 the first is faster."""
    first(), second()
    ratios = sorted(second() / first() for _ in range(rounds))
    print(f"{name:75s} {median(ratios):6.2f}   ({ratios[0]:.2f} to {ratios[-1]:.2f})", flush=True)


def clock(name: str, contestant: Callable[[], float], rounds: int = 5) -> None:
    """Run one alone, once to warm up, and print its seconds."""
    contestant()
    seconds = sorted(contestant() for _ in range(rounds))
    print(f"{name:75s} {median(seconds):6.2f} s ({seconds[0]:.2f} to {seconds[-1]:.2f})", flush=True)


def timed(action: Callable[[], object]) -> Callable[[], float]:
    """Make a contestant of an action."""

    def contestant() -> float:
        start = perf_counter()
        action()
        return perf_counter() - start

    return contestant
