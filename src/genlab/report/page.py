"""The page: what it says, handed to a template that says how."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from genlab.console import duration
from genlab.foreign import printable
from genlab.names import shorten
from genlab.report.figures import Drawing
from genlab.report.read import Run, sweep_command, thinned
from genlab.report.settings import ONE_SEED, SHARED, as_text, compare_settings
from genlab.report.style import looks
from genlab.report.table import Table, differing_fields
from genlab.report.text import arrow, number, with_half
from genlab.report.thumbnails import data_uri, newest, over_time
from genlab.stamp import NORMAL, error_key

MOST_BEST, MOST_SPARKS = 6, 9
SPARK = (150, 44)  # width and height of a small curve, in its own units
MINOR = ("train/", "health/", "test/")  # metrics of which the table shows the columns on demand; so of accuracies of D
NUMERIC = ("rank", "score", "error", "epochs", "images_seen", "seconds", "images_per_second", "parameters")


def render(table: Table, figures: Sequence[Drawing], again: str, folder: Path | None) -> str:
    """Return the HTML, in which everything that comes from a run is escaped.

    Args:
        table, figures: what it shows.
        again: the command that makes the page again.
        folder: of the sweep, if there is one.
    """
    environment = Environment(
        loader=PackageLoader("genlab.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"arrow": arrow, "number": number, "shorten": shorten, "uri": data_uri}
    stamps = [group.stamp for group in table.groups]
    fields = dict.fromkeys(name for stamp in stamps for name in stamp.as_dict())
    entries = {n: _entry(table, n, run) for n, run in enumerate(table.runs, 1)}
    page = environment.get_template("page.html").render(
        table=table,
        head=_head(table),
        labels={key: key.replace("_", " ") for key in NUMERIC} | dict(table.labels),
        numeric={*NUMERIC, *table.metrics},
        minor={key for key in table.metrics if key.startswith(MINOR) or "accuracy" in key},
        sections=_sections(table),
        entries=entries,
        has_pictures=any(entry["samples"] or entry["reconstructions"] for entry in entries.values()),
        best=table.groups[:MOST_BEST],
        figures=figures,
        protocols={name: [stamp.as_dict().get(name, "–") for stamp in stamps] for name in fields},
        differing=differing_fields(stamps),
        looks=looks(table.models),
        spark_size=SPARK,
        sweep_command=sweep_command(folder) if folder else None,
        again=again,
        now=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
    )
    return printable(page)


def _head(table: Table) -> dict[str, Any]:
    """Totals, when, and of which code."""

    def found(key: str) -> list[str]:
        return sorted({str(run.summary[key]) for run in table.runs if run.summary.get(key) is not None})

    versions = dict.fromkeys(key for run in table.runs for key in run.summary if key.startswith("versions."))
    starts = [start[:16].replace("T", " ") for start in found("started")]
    return {
        "when": " to ".join(dict.fromkeys((*starts[:1], *starts[-1:]))),
        "time": duration(table.frame["seconds"].sum()),
        "images": table.frame["images_seen"].sum(),
        "commits": found("git_commit"),
        "versions": {key.removeprefix("versions."): ", ".join(found(key)) for key in versions},
    }


def _sections(table: Table) -> list[dict[str, Any]]:
    """The table: a part for each protocol and one for runs without a rank, each without its empty columns."""
    fields = differing_fields([group.stamp for group in table.groups])
    parts = []
    for title, stamp, rows in table.groups:
        own = ", ".join(f"{name} {number(getattr(stamp, name)) or '–'}" for name in fields)
        note = f"Not ranked against the other groups, whose protocols differ. Here: {own}." if own else ""
        settings = compare_settings(table, rows)
        known = SHARED if settings is not None else ONE_SEED if len(rows) > 1 else ""
        parts.append((title, f"{note} {known}".strip(), rows.index, settings))
    note = "Runs that failed, that are damaged, or that have no score whose protocol is known."
    parts.append(("Not ranked", note, table.unranked.index, None))
    facts = table.facts.astype(object).where(table.facts.notna(), "").drop(columns="group")
    sections = []
    for title, note, places, settings in parts:
        if len(places):
            rows = facts.loc[places]
            rows = rows.loc[:, (rows != "").any()]
            section = {"title": title, "note": note, "columns": list(rows), "rows": rows.to_dict("index")}
            seeds = [] if settings is None else as_text(settings).to_dict("records")
            sections.append(section | {"settings": seeds})
    return sections


def _entry(table: Table, n: int, run: Run) -> dict[str, Any]:
    """What the page shows of one run."""
    row = table.frame.loc[n]
    return {
        "number": n,
        "run": run,
        "model": row["model"],
        "title": row["title"],
        "rank": "" if pd.isna(row["rank"]) else f"#{row['rank']}",
        "score": with_half(row["score"], NORMAL * table.frame["error"].loc[n]),
        "samples": newest(run, "samples"),
        "reconstructions": newest(run, "reconstructions"),
        "strip": over_time(run),
        "sparks": _sparks(run),
        "config": {key: run.value(key) for key in table.keys if key in run.config},
        "last_sign": _last_sign(run),
        "traceback": run.traceback() if run.status in ("failed", "interrupted", "damaged") else "",
    }


def _sparks(run: Run) -> list[dict[str, str]]:
    """Small curves over images seen, drawn by the page itself: of the score, then of losses and other metrics."""
    hidden = {"train/images_seen", *(error_key(str(key)) for key in run.history)}
    keys = [str(key) for key in run.history if "/" in str(key) and key not in hidden]
    keys.sort(key=lambda key: (key != run.score_key, not key.startswith("val/"), "loss" not in key, "grad_norm" in key))
    sparks = []
    for key in [key for key in keys if len(run.curve(key)) > 1][:MOST_SPARKS]:
        whole = run.curve(key)
        curve = thinned(whole, 60)
        across = SPARK[0] * (curve.index - whole.index[0]) / ((whole.index[-1] - whole.index[0]) or 1)
        down = SPARK[1] * (1 - (curve - whole.min()) / ((whole.max() - whole.min()) or 1))
        points = " ".join(f"{x:.0f},{y:.1f}" for x, y in zip(across, down, strict=True))
        sparks.append({"key": key, "points": points, "first": number(curve.iloc[0]), "last": number(curve.iloc[-1])})
    return sparks


def _last_sign(run: Run) -> str:
    """When a run that says it is running has written last: a killed one says so too."""
    files = [run.folder / name for name in ("summary.json", "metrics.csv", "train.log")]
    times = [path.stat().st_mtime for path in files if path.is_file()]
    return f"{datetime.fromtimestamp(max(times)):%Y-%m-%d %H:%M:%S}" if times and run.status == "running" else ""
