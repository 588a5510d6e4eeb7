"""Change one token of the code that computes, at random, and see whether a test notices.

`python tests/mutations/mutate.py --seed 1 --n 100 [--package losses] [--at losses/penalties.py:77]`

The heavy libraries are imported once, in a process that forks for each change. The child reads the changed source in
place of the file and runs the quick tests that call the changed function, the nearest and the cheapest first. Which
those are is noted when a test file is new. Tests that start processes of their own see the file as it is.
"""

import argparse
import difflib
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCE, TESTS = ROOT / "src" / "genlab", ROOT / "tests"
PACKAGES = ("models", "networks", "losses", "metrics", "images.py")
TEST_FILES = ("models", "networks", "losses", "metrics", "test_images.py", "test_moments.py", "data/test_conversion.py")
TOO_SLOW = ("test_matrix.py", "test_learning.py")
NOTES = Path(tempfile.gettempdir()) / "genlab_mutations.json"
SLOWEST = 4.0  # seconds of a core, of a test that takes part
OPTIONS = ["-x", "-q", "-o", "addopts=", "--import-mode=importlib", "--assert=plain", "-p", "no:cacheprovider"]
OPTIONS += ["-p", "no:unraisableexception", "-p", "no:threadexception"]  # they collect garbage for a second

Calls = list[tuple[str, int]]  # a file and the first line of a function
Notes = dict[str, dict[str, Any]]  # by test file


class Changed:
    """Finds one module in its changed source."""

    def __init__(self, change: Any) -> None:
        self.path, self.source = change.path, change.source()
        parts = change.path.relative_to(SOURCE.parent).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """As the import system asks for it."""
        if name != self.name:
            return None
        loader = SourceFileLoader(name, str(self.path))
        loader.get_code = lambda _: compile(self.source, str(self.path), "exec", dont_inherit=True)  # type: ignore
        return spec_from_file_location(name, self.path, loader=loader)


class Note:
    """Notes which functions of ours each test calls, and what it costs."""

    def __init__(self) -> None:
        self.calls: set[tuple[str, int]] = set()
        self.tests: dict[str, Any] = {}
        self.of_fixtures: set[tuple[str, int]] = set()
        self.ours = str(SOURCE)

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self.start = time.process_time()
        sys.settrace(self._called)

    def _called(self, frame: Any, event: str, arg: Any) -> None:
        if frame.f_code.co_filename.startswith(self.ours):
            self.calls.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "setup":
            self.of_fixtures |= self.calls  # a later test may look at what they have made
        elif report.when == "call" and report.passed:
            self.tests[report.nodeid] = [time.process_time() - self.start, sorted(self.calls)]
        if report.when != "setup":
            self.calls.clear()


class Choose:
    """Runs some of the tests, in an order of one's own, and remembers the one that failed."""

    def __init__(self, nodeids: list[str]) -> None:
        self.rank = {nodeid: i for i, nodeid in enumerate(nodeids)}
        self.failed = "while tests were collected"

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted((i for i in items if i.nodeid in self.rank), key=lambda i: self.rank[i.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed = report.nodeid


def in_a_fork(work: Any, seconds: float) -> Any:
    """Do some work in a child that may not last longer, and return what it returns, or None if it was killed."""
    with tempfile.TemporaryFile("w+") as answer, Path(os.devnull).open("w") as nowhere:
        if (child := os.fork()) == 0:
            signal.alarm(int(seconds) + 1)
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
            try:
                json.dump(work(), answer)
            except BaseException:  # a change may raise anything
                json.dump([False, traceback.format_exc()[-500:]], answer)
            answer.flush()
            os._exit(0)
        os.waitpid(child, 0)
        answer.seek(0)
        text = answer.read()
    return json.loads(text) if text else None


def files_of(folder: Path, names: Sequence[str], pattern: str) -> list[Path]:
    """Files, and those of folders, by their names."""
    return [file for n in names for file in ([folder / n] if "." in n else sorted((folder / n).rglob(pattern)))]


def state(path: Path) -> float:
    """When a test file, or a file that tests call, was changed last: functions are known by their lines."""
    return max(file.stat().st_mtime for file in (path, *files_of(SOURCE, PACKAGES, "*.py")))


def note(path: Path) -> dict[str, Any]:
    """Run a test file as it is."""
    import pytest

    plugin = Note()
    code = int(pytest.main([*OPTIONS[1:], str(path)], plugins=[plugin]))
    return {"changed": state(path), "code": code, "tests": plugin.tests, "all": sorted(plugin.of_fixtures)}


def read_notes() -> Notes:
    """What is known of each test file, after running those that have changed."""
    notes: Notes = json.loads(NOTES.read_text()) if NOTES.is_file() else {}
    files = [file for file in files_of(TESTS, TEST_FILES, "test_*.py") if file.name not in TOO_SLOW]
    for file in files:
        if notes.get(str(file), {}).get("changed") != state(file):
            notes[str(file)] = found = in_a_fork(lambda file=file: note(file), 3000) or {"tests": {}, "code": "time"}
            if isinstance(found, list):
                raise RuntimeError(found[1])
            print(f"noted {file.relative_to(ROOT)}: {len(found['tests'])} tests, exit code {found['code']}", flush=True)
            NOTES.write_text(json.dumps(notes))
    return {str(file): notes[str(file)] for file in files}


def concerned(change: Any, notes: Notes, budget: float) -> list[str]:
    """The tests that call the function of a change, as many as fit into seconds of a core."""
    first, last = change.scope

    def calls(known: Calls) -> bool:
        return any(file == str(change.path) and first <= line <= last for file, line in known)

    chosen = []
    for file, about in notes.items():
        far = (change.path.stem not in Path(file).stem, change.path.parent.name != Path(file).parent.name)
        always = "test_defaults" in file or not (change.in_function or far[0])  # what is seen without a call
        shared, variants = always or calls(about.get("all", [])), set()
        for test, (cost, own) in about["tests"].items():
            if cost <= SLOWEST and (shared or calls(own)):
                again = cost > 0.3 and test.partition("[")[0] in variants  # one of each dear kind comes first
                variants.add(test.partition("[")[0])
                chosen.append((again, *far, cost, test))
    tests = []
    for *_, cost, test in sorted(chosen):
        budget -= cost
        if budget > 0 or not tests:
            tests.append(test)
    return tests


def run(change: Any, tests: list[str]) -> tuple[bool, str]:
    """Whether the tests pass with a change, and the one that does not."""
    import pytest

    for name in [name for name in sys.modules if name.partition(".")[0] == "genlab"]:
        del sys.modules[name]
    sys.meta_path.insert(0, Changed(change))  # type: ignore[arg-type]
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    plugin = Choose(tests)
    code = pytest.main([*OPTIONS, *(str(ROOT / file) for file in files)], plugins=[plugin])
    return int(code) == 0, plugin.failed


def show(change: Any) -> str:
    """The lines that differ."""
    before, after = change.path.read_text().splitlines(), change.source().decode().splitlines()
    lines = list(difflib.unified_diff(before, after, lineterm="", n=0))[3:]
    return "\n".join(f"    {line}" for line in lines)


def main() -> None:
    """Change, test and count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--done", type=int, default=0, help="how many of them to leave out, after an interruption")
    parser.add_argument("--package", choices=[name.removesuffix(".py") for name in PACKAGES])
    parser.add_argument("--at", action="append", help="all changes of a line instead: losses/penalties.py:77")
    parser.add_argument("--budget", type=float, default=15, help="seconds of a core for the tests of one change")
    args = parser.parse_args()
    sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "src"), str(TESTS)]
    os.environ["OMP_NUM_THREADS"] = "1"  # no threads before a fork
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.chdir(ROOT)
    from changes import changes

    import genlab.commands.train  # noqa: F401  # with all that it needs, which stays

    notes = read_notes()
    names = [name for name in PACKAGES if args.package in (None, name.removesuffix(".py"))]
    found = [change for file in files_of(SOURCE, names, "*.py") for change in changes(file)]
    print(f"{len(found)} changes are possible", flush=True)
    if args.at:
        chosen = [c for c in found if f"{c.path.relative_to(SOURCE)}:{c.line}" in args.at]
    else:
        chosen = random.Random(args.seed).sample(found, min(args.n, len(found)))[args.done :]
    survived = 0
    for i, change in enumerate(chosen):
        tests, start = concerned(change, notes, args.budget), time.monotonic()
        answer = in_a_fork(lambda change=change, tests=tests: run(change, tests), 300) if tests else [True, ""]
        passed, failed = answer or [False, "out of time"]
        survived += passed
        word = f"SURVIVED {len(tests)} tests" if passed else f"killed by {failed.splitlines()[-1]}"
        place = f"{change.path.relative_to(SOURCE)}:{change.line}"
        print(f"{args.done + i + 1:4d} {time.monotonic() - start:5.1f} s {place} {word}", flush=True)
        print(show(change), flush=True)
    print(f"seed {args.seed}: {survived} of {len(chosen)} survived, {len(chosen) - survived} killed")


if __name__ == "__main__":
    main()
