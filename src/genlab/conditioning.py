"""How labels reach what may or may not take them."""

from typing import Any

from torch import Generator, Tensor


def given(y: Tensor | None) -> dict[str, Any]:
    """Labels as a further argument `y`, for `decode(z, **given(y))`: nothing where there are none (None)."""
    return {} if y is None else {"y": y}


def condition_of(model: Any) -> Any:
    """What a model is told of an image, a `Condition`; None if it is told nothing."""
    return getattr(model, "condition", None)


def labels_for(model: Any, y: Tensor) -> Tensor | None:
    """Labels of images as a model takes them, on its device; None if it takes none."""
    return None if condition_of(model) is None else y.to(model.device)


def drawn_labels(model: Any, n: int, generator: Generator | None) -> Tensor | None:
    """Draw n labels, (n,) or (n, entries), as often as training images have them; None if a model takes none."""
    condition = condition_of(model)
    return None if condition is None else condition.draw(n, generator)
