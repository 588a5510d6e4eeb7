"""The numbers of `metrics.csv` over images."""

import pandas as pd


def images_seen(metrics: pd.DataFrame) -> pd.Series:
    """Images seen at each row of `metrics.csv`: rows of validation lie between those of training, which count them."""
    steps = metrics["step"] + 1
    seen = metrics.get("train/images_seen", steps)
    last = seen[steps > 0].last_valid_index()
    return steps if last is None else steps * seen[last] / steps[last]
