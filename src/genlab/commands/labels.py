"""What a conditional model has to know of the labels of its data before it can be built."""

from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig

from genlab.config.record import record
from genlab.redaction import map_texts

LEARNT = "model.condition."  # keys that are null until the data have been read


def learn_labels(cfg: DictConfig, config: dict[str, Any], data: Any) -> bool:
    """Put what a conditional model learns of its data into a configuration, and as it is recorded.

    So a checkpoint rebuilds the model without the data.

    Args:
        cfg: the configuration of a run.
        config: the same as it is recorded, plain containers.
        data: its `ImageDataModule`.

    Returns:
        Whether there was something to learn.

    Raises:
        UsageError: if the data have no such labels.
    """
    node = cfg.model.get("condition")
    if not node or node.get("names") is not None:
        return False
    data.setup()
    kind: Any = get_class(node["_target_"])
    learnt = map_texts(kind.learn(data, of=node.get("of")), record)
    node.update(learnt)
    config["model"]["condition"] |= learnt
    return True
