import torch

NAMES = []  # of classes, or of the entries of a label


def labels(weights, n, asked, generator):
    """n labels: of a class, by its name or number, or as NAME=VALUE; what is left open is drawn as in training."""
    known = weights["labels"]
    if known.ndim == 1:  # the shares of the classes, the last one of images without a class
        if asked:
            return [torch.full((n,), NAMES.index(asked[0]) if asked[0] in NAMES else int(asked[0]))]
        y = torch.multinomial(known, n, replacement=True, generator=generator)
        return [torch.where(y < len(NAMES), y, -1)]
    rows = known[torch.randint(len(known), (n,), generator=generator)]
    for name, value in (text.split("=") for text in asked):
        rows[:, NAMES.index(name)] = float(value)
    return [rows]
