"""The page: the same content as HTML in the report's look, and as Markdown with the figures beside it."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from genlab.files import write_bytes, write_text
from genlab.lecture.claim import Claim, Evidence
from genlab.report.text import number
from genlab.report.thumbnails import data_uri


class Section(NamedTuple):
    """A claim that has been measured."""

    name: str
    claim: Claim
    evidence: Evidence
    png: bytes  # the figure

    @property
    def width(self) -> int:
        """At which the figure is shown, in pixels of a page."""
        return round(96 * self.evidence.figure.get_figwidth())


def write_page(out: Path, sections: Sequence[Section]) -> None:
    """Write `lecture.html`, which holds all it needs, `lecture.md` and its `figures/`."""
    for section in sections:
        write_bytes(out / "figures" / f"{section.name}.png", section.png)
    for name in ("lecture.html", "lecture.md"):
        write_text(out / name, render(name, sections))


def render(name: str, sections: Sequence[Section]) -> str:
    """Fill a template."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(f"genlab.{package}", "template") for package in ("lecture", "report")]),
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "uri": data_uri, "plain": plain}
    verdicts = [section.evidence.verdict for section in sections]
    return environment.get_template(name).render(
        sections=sections,
        counts={verdict: verdicts.count(verdict) for verdict in dict.fromkeys(sorted(verdicts, reverse=True))},
        versions=f"torch {torch.__version__}",
        now=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
    )


def plain(text: Any) -> str:
    """Escape what Markdown would read as markup."""
    return re.sub(r"([*_|<>`\\])", r"\\\1", str(text))
