"""The worked examples of docs/adding.md."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "adding.md"
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^\*\*`([^`]+)`\*\*\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def worked_examples() -> dict[str, dict[str, str]]:
    """The files of each section of the page that has some, by their paths in the repository: what they hold."""
    found = {title: dict(FILE.findall(text)) for title, text in SECTION.findall(PAGE.read_text(encoding="utf-8"))}
    return {title: files for title, files in found.items() if files}


def worked_files() -> dict[str, str]:
    """All of them."""
    return {path: text for files in worked_examples().values() for path, text in files.items()}
