"""What W&B's offline files hold."""

import json
from time import monotonic, sleep


def stored_records(path):
    """What an offline file holds: rows of the history, the metrics summarised by their minimum, and the run."""
    history, minimised, run = [], set(), {}
    for record in finished_records(path):
        kind = record.WhichOneof("record_type")
        if kind == "history":
            row = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
            history.append({key: json.loads(value) for key, value in row.items()})
        elif kind == "metric" and record.metric.summary.min:
            minimised.add(record.metric.name)
        elif kind == "run":
            items = {i.key: json.loads(i.value_json) for i in record.run.config.update}
            run = {"config": items, "tags": list(record.run.tags)}
        elif kind == "config" and run:
            run["config"] |= {i.key: json.loads(i.value_json) for i in record.config.update if i.key}
    return history, minimised, run


def stored_artifacts(path):
    """The artifacts in an offline file: each with its name, its alias, and the files, by names, where they are kept."""
    kept = [record.artifact for record in finished_records(path) if record.WhichOneof("record_type") == "artifact"]
    return [(a.name, {*a.aliases}, {file.path: file.local_path for file in a.manifest.contents}) for a in kept]


def finished_records(path, seconds=10):
    """All records of an offline file, once W&B's process has written the last one, which may be after `finish`."""
    from wandb.proto import wandb_internal_pb2

    end = monotonic() + seconds
    while True:
        records = [wandb_internal_pb2.Record.FromString(data) for data in log_records(path.read_bytes())]
        if monotonic() > end or (records and records[-1].WhichOneof("record_type") == "exit"):
            return records
        sleep(0.1)


def log_records(data: bytes):
    """The records of a file in LevelDB's log format, as W&B writes it: 7 bytes of header, then blocks of 32 KiB.

    Each piece of a record has a checksum (4 bytes), a length (2), a type (1: whole, 2: first, 3: middle, 4: last).
    """
    position, record = 7, b""
    while position + 7 <= len(data):
        if 32768 - position % 32768 < 7:  # too little is left of the block for another piece
            position += 32768 - position % 32768
            continue
        length, kind = int.from_bytes(data[position + 4 : position + 6], "little"), data[position + 6]
        record += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            yield record
            record = b""
