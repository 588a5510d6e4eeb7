"""Where the time of a step goes."""

import json
import logging

from settings import config
from small_training import trained

from genlab.config.build import build


def recorded(folder, name, **steps):
    """Train for four steps."""
    typed = {"_target_": "genlab.trainer.profile.Profile", "dirpath": str(folder)} | steps
    trained(name, f"trainer.profiler={{{', '.join(f'{key}: {value}' for key, value in typed.items())}}}")


def test_a_profile_names_operations_and_parts_and_the_trace_can_be_opened(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="genlab"):
        recorded(tmp_path, "gan", skip=1, n_steps=2)
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    names = [event.get("name") for event in events]
    assert names.count("[part] run_training_batch") == 2
    said = (tmp_path / "profile.txt").read_text()
    for part in ("2 steps of ", "training_step", "run_training_batch", "aten::"):
        assert part in said
        assert part in caplog.text


def test_a_run_that_ends_before_writes_what_there_is(tmp_path):
    recorded(tmp_path, "vae", skip=1, n_steps=9)
    assert "3 steps of " in (tmp_path / "profile.txt").read_text()


def test_the_debugging_configuration_records_within_its_steps():
    trainer = config("debug=profile").trainer
    profiler = build(trainer.profiler)
    assert profiler.skip + profiler.n_steps < trainer.max_steps
