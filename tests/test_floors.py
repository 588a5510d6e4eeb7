"""A folder imports only from the folders below it, and no circle of modules is left: read from the imports."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1] / "src"
FLOORS = [
    "entry",
    "cli",
    "search",
    "sweeps",
    "commands",
    "demo",
    "modes",
    "export",
    "lecture",
    "report",
    "callbacks",
    "evaluation",
    "models",
    "priors",
    "loggers",
    "trainer",
    "run",
    "metrics",
    "conditions",
    "data",
    "losses",
    "networks",
    "config",
]  # top floor first; a module that is not named here stands on the ground
PRIVATE = re.compile(
    r"(trainer|loop|connector|strategy|launcher|progress|logger)\._(?!target_)[a-z]|^from lightning\S* import .*\b_\w+",
    re.MULTILINE,
)


def _modules():
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / "genlab").rglob("*.py")}


def _imports(path, modules):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                names.append(submodule if submodule in modules else node.module)
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name for found in names for name in (found, f"{found}.__init__") if name in modules)


def _floor(module):
    name = module.split(".")[1]
    return FLOORS.index(name) if name in FLOORS else len(FLOORS)


def test_a_folder_imports_only_from_those_below_it():
    modules = _modules()
    upward = [
        f"{module} imports {found}"
        for module, path in modules.items()
        for found in _imports(path, modules)
        if _floor(found) < _floor(module)
    ]
    assert not upward
    assert set(FLOORS) <= {module.split(".")[1] for module in modules}


def test_no_modules_import_each_other_in_a_circle():
    modules = _modules()
    graph = {module: set(_imports(path, modules)) - {module} for module, path in modules.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(modules)  # raises a CycleError that names them


def test_private_names_of_lightning_occur_in_one_folder():
    outside = [p for p in _modules().values() if p.parent.name != "trainer" and PRIVATE.search(p.read_text())]
    assert not outside
    inside = [p.name for p in (ROOT / "genlab/trainer").glob("*.py") if PRIVATE.search(p.read_text())]
    assert {"internals.py", "signals.py", "strategy.py"} <= set(inside)  # so the pattern finds what there is
