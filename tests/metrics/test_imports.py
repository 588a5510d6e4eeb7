"""What it costs to import the formulas."""

import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
HEAVY = {"torchmetrics", "torch_fidelity", "lightning", "scipy"}


@pytest.mark.slow
def test_the_formulas_import_no_heavy_library_until_it_is_needed():
    ask = f"import sys, genlab.metrics; print(*({HEAVY} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", ask], cwd=SRC, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []
