"""What a sweep was said to take against what it took: `python tests/benchmarks/bill.py [KEY=VALUES ...]`. Run by hand.

Thirty cells of different models, sizes and batches, as many at a time as there are cores; the values of a key that is
typed take the place of those here. Above 1 a run took longer than was said.
"""

import os
import re
import subprocess
import sys
import tempfile
from statistics import median

from contest import ROOT  # first: it puts src and tests on the path

CELLS = {"model": "ae,vae,gan,aae,vaegan", "data.size": "16,28,32", "data.batch_size": "32,128"}
COMMON = {"trainer": "cpu", "trainer.max_epochs": "12", "sweep": "s", "preflight": "probe"}
ONCE = {"model": "ae", "data.batch_size": "128", "trainer.max_epochs": "1", "preflight": "skip", "sweep": "once"}
DURATION = r"((?:[\d.,]+ (?:h|min|s) ?)+)"


def seconds(text: str) -> float:
    """Of a duration as it is printed."""
    units = {"h": 3600, "min": 60, "s": 1}
    return sum(float(n.replace(",", "")) * units[unit] for n, unit in re.findall(r"([\d.,]+) (h|min|s)", text))


def sweep(folder: str, typed: dict[str, str]) -> str:
    """What a sweep has printed."""
    command = [sys.executable, str(ROOT / "src/train.py"), "-m", *(f"{key}={value}" for key, value in typed.items())]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    typed = CELLS | COMMON | dict(text.split("=", 1) for text in sys.argv[1:])
    print(f"load before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        sweep(folder, typed | ONCE)  # what is cached of the data
        out = sweep(folder, typed)
    bill = re.findall(rf"^  (\S.*): (?:at least )?{DURATION}, ", out, re.MULTILINE)
    ends = re.findall(rf"^completed    (?!probe)(.*) \({DURATION}, ", out, re.MULTILINE)
    said, took = ({label: seconds(text) for label, text in found} for found in (bill, ends))
    bounds = set(re.findall(r"^  (\S.*): at least", out, re.MULTILINE))
    for label, value in said.items():
        mark = "  at least" if label in bounds else ""
        print(f"{label:60s} {value:7.1f} s said {took[label]:7.1f} s took   {took[label] / value:.2f}{mark}")
    errors = sorted(abs(said[label] / took[label] - 1) for label in said)
    probes = [seconds(text) for text in re.findall(rf"^completed    probe of .* \({DURATION}, ", out, re.MULTILINE)]
    print(f"{len(errors)} cells, {len(bounds)} of them bounds: off by {median(errors):.0%}, {errors[-1]:.0%} at worst")
    print(f"a probe took {median(probes):.0f} s, {max(probes):.0f} s at most; load after: {os.getloadavg()[0]:.1f}")
