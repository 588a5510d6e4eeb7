"""The notebook runs from its first cell to its last, and shows what it promises."""

import nbformat
import pytest
from nbclient import NotebookClient
from settings import ROOT

NOTEBOOK = ROOT / "notebooks" / "first_look.ipynb"


@pytest.mark.slow
def test_the_notebook_runs_and_shows_its_pictures(monkeypatch):
    monkeypatch.setenv("EPOCHS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 4  # curves, samples, the code space, the codes of the test images
    printed = "".join(output.get("text", "") for output in outputs)
    assert "images seen" in printed


def test_the_notebook_is_committed_without_outputs():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
