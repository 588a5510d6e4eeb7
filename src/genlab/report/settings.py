"""The settings of a sweep over their seeds: means with intervals, and which of them can be told apart."""

import pandas as pd

from genlab.report.table import Table
from genlab.report.text import with_half
from genlab.significance import interval, places, seeds_to_settle

SHARED = (
    "Means over the seeds of completed runs, with 95% intervals. Settings that share places, such as 1–3, are not told "
    "apart by their seeds: by t-tests of the scores' logarithms, paired where seeds are the same, with a variance that "
    "all settings have a share in (docs/sweeps.md), and Holm's correction for the number of pairs."
)
ONE_SEED = (
    "One seed a setting: nothing here says whether another seed would give this order (-m seed=0,1,2 would). The ± is "
    "a 95% interval over other samples of the same weights."
)


def compare_settings(table: Table, rows: pd.DataFrame) -> pd.DataFrame | None:
    """Compare the settings of a sweep, of which several runs differ by seeds alone; None if none do.

    Args:
        table: of the sweep.
        rows: those of it whose scores may be compared.

    Returns:
        A row a setting, the best first: `place`, such as 1 or 1–3; `setting`; `seeds`, their number; `score`, their
        mean, and `half` the width of its interval, NaN for a single seed; `needed`, how many seeds would tell it from
        the setting before, missing where it is told already or where nothing is known of that; `command`, which trains
        it with a seed of one's choice, missing where a run does not say what was typed.
    """
    rows = rows[rows["status"] == "completed"]
    setting, seed = table.settings[rows.index], table.seeds[rows.index]
    if seed.groupby(setting).nunique().le(1).all():
        return None
    parts = sorted((own for _, own in rows.groupby(setting)), key=lambda own: own["score"].mean())
    scores = [own.groupby(seed)["score"].mean().to_dict() for own in parts]  # a run may have been repeated
    found = []
    for n, (own, by_seed, (first, last)) in enumerate(zip(parts, scores, places(scores), strict=True)):
        found.append(
            {
                "place": str(first) if first == last else f"{first}–{last}",
                "setting": own["setting"].iloc[0],
                "seeds": len(by_seed),
                "score": sum(by_seed.values()) / len(by_seed),
                "half": interval([*by_seed.values()]).half if len(by_seed) > 1 else None,
                "needed": seeds_to_settle(scores, n - 1, n) if n > 0 and first <= n else None,
                "command": table.runs[int(own.index[0]) - 1].command_for_any_seed,
            }
        )
    return pd.DataFrame(found).astype({"half": float, "needed": "Int64"})


def settings_of_groups(table: Table) -> pd.DataFrame | None:
    """The comparisons of all groups, one below the other, with a column `group`; None if there are none."""
    found = [(group.title, compare_settings(table, group.rows)) for group in table.groups]
    parts = [settings.assign(group=title) for title, settings in found if settings is not None]
    return pd.concat(parts) if parts else None


def as_text(settings: pd.DataFrame) -> pd.DataFrame:
    """The comparison as people read it: `place`, `score`, such as 182 ± 7, `seeds`, `setting`, and `to settle`."""
    needed = settings["needed"].map(lambda n: f"{n} seeds", na_action="ignore").astype(object)
    scores = [with_half(score, half) for score, half in zip(settings["score"], settings["half"], strict=True)]
    text = {"place": settings["place"], "score": scores, "seeds": settings["seeds"]}
    return pd.DataFrame({**text, "setting": settings["setting"], "to settle": needed.where(needed.notna(), "")})


def as_markdown(settings: pd.DataFrame) -> str:
    """The comparisons of all groups as tables with the command beside each row."""
    parts = []
    for title, own in settings.groupby("group", sort=False):
        text = as_text(own).assign(command=own["command"].map(lambda command: command and f"`{command}`"))
        head = [str(name) for name in text.columns]
        rows: list[list[str]] = [head, ["---"] * len(head), *text.fillna("").astype(str).to_numpy().tolist()]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        parts.append("\n".join([f"{title}, lower is better", "", *lines]))
    return "\n\n".join([*parts, SHARED]) + "\n"
