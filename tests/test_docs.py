"""What README and docs/ name is there: files, headings, scripts, options. Reads text alone, imports nothing heavy."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from worked import worked_files

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
WORKED = worked_files()  # that a reader makes
OUTSIDE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = [*OUTSIDE, *sorted(ROOT.glob("docs/**/*.md"))]
OF_PACKAGES = {"hydra/launcher": {"basic", "joblib", "ray", "submitit_local"}}  # options that are no files of ours
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"(?:src|configs|tests|docs|\.github|\.ci)/[\w./-]*")
PLACEHOLDER = re.compile(r"[A-Z_]+")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts and MkDocs make them of letters, digits, spaces and hyphens."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[str]:
    """The targets of links and pictures that lead to no other server."""
    text = INLINE.sub("", prose(page))
    found = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)]
    return (target for target in found if not re.match(r"[a-z]+:", target))


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Each `python src/SCRIPT.py` of a page, in a block or in a sentence: its script, and what is typed after it."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in FENCED.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    for line in [*lines, *INLINE.findall(FENCED.sub("", text))]:
        if found := re.search(r"\b(?:python|torchrun)\b.*?\bsrc/(\w+)\.py(.*)", line):
            words = shlex.split(found[2], comments=True)
            end = next((i for i, word in enumerate(words) if word in ("|", "||", "&&", ";")), len(words))
            yield found[1], words[:end]


def missing_option(typed: str) -> str | None:
    """What is wrong with `group=option`; None where nothing is, and for other keys."""
    key, _, value = typed.lstrip("+~").partition("=")
    group = key.partition("@")[0]
    if not (CONFIGS / group).is_dir():
        return f"no group {group}" if "/" in group else None
    for option in re.sub(r"^glob\((.*)\)$", r"\1", value.strip("[]")).split(","):
        path = f"configs/{group}/{option}.yaml"
        known = any(ROOT.glob(path)) or path in WORKED or option in OF_PACKAGES.get(group, ())
        if option and option != "null" and not PLACEHOLDER.fullmatch(option) and not known:
            return f"{group} has no option {option}"
    return None


@each_page
def test_every_link_leads_to_a_file_and_a_heading(page):
    for target in links(page):
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target
        if page not in OUTSIDE:
            assert found.is_relative_to(ROOT / "docs"), f"{target} leads out of the site"


@each_page
def test_every_command_names_scripts_keys_and_options_that_exist(page):
    for script, words in commands(page):
        assert (ROOT / "src" / f"{script}.py").is_file(), script
        keys = yaml.safe_load((CONFIGS / f"{script}.yaml").read_text(encoding="utf-8"))
        for word in (word for word in words if "=" in word and not word.startswith("-")):
            assert missing_option(word) is None, f"{script}.py {word}: {missing_option(word)}"
            key = re.split(r"[=.@/]", word.lstrip("+~"))[0]
            assert key in keys or key == "hydra" or (CONFIGS / key).is_dir(), f"{script}.py {word}: no key {key}"


@each_page
def test_every_option_in_a_sentence_exists(page):
    for code in INLINE.findall(prose(page)):
        for word in code.split():
            if re.fullmatch(r"[+~]*[\w/]+(@[\w.]+)?=[\w,\[\]]+", word):
                assert missing_option(word) is None, f"{word}: {missing_option(word)}"


@each_page
def test_every_path_that_is_named_exists(page):
    text = page.read_text(encoding="utf-8")
    named = {code for code in INLINE.findall(FENCED.sub("", text)) if PATH.fullmatch(code)}
    for path in named | set(re.findall(r"src/genlab/[\w/.]*\w", text)):
        if not any(PLACEHOLDER.fullmatch(part.partition(".")[0]) for part in path.split("/")):
            assert (ROOT / path).exists() or path in WORKED, path


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def test_the_site_shows_every_page_and_no_other():
    def files(entry):
        if isinstance(entry, str):
            return [entry]
        return [file for part in (entry.values() if isinstance(entry, dict) else entry) for file in files(part)]

    shown = files(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert sorted(shown) == sorted(path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md"))


@pytest.mark.parametrize("typed", ["model=gna", "data=mnist,nmist", "+model/penalty@x=r9", "modle/objective=hinge"])
def test_a_mistyped_option_is_found(typed):
    assert missing_option(typed)


@pytest.mark.parametrize("typed", ["model=ae,vae", "experiment=NAME", "logger=[wandb]", "trainer.devices=2"])
def test_options_placeholders_and_other_keys_pass(typed):
    assert missing_option(typed) is None
