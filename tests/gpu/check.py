"""What a CUDA machine makes of every model, in one table and 10 minutes: `python tests/gpu/check.py [MODEL ...]`.

| column | what stands in it |
| --- | --- |
| bf16, fp16, fp32 | whether all losses of some steps are finite |
| img/s, MiB | of a step in the trainer, without callbacks; the most memory that tensors took |
| waits | how often a step made the program wait for the GPU, by PyTorch's own count; 0 is as it should be |
| resume | whether a run that is stopped and goes on ends with the same weights, or how far they are apart |
| by hand | img/s over that of the loop in tests/benchmarks/by_hand.py |
| on gpu, tf32 | what data.device=auto and tf32=true do to img/s: a factor |
| compile, graphs | what model.compile=true and =reduce-overhead do to it, once compiled |

The last rows are runs of `trainer=ddp` on all GPUs. `--device cpu` takes the CPU, for a look at the script itself.

Besides an image with PyTorch, torchvision and Lightning, and what usually comes with those (numpy, pandas, scipy,
scikit-learn, matplotlib, rich, pyyaml, jinja2, filelock, safetensors, tensorboard, torchmetrics), it needs wheels that
can be carried: hydra-core, omegaconf, antlr4-python3-runtime, python-dotenv, annotated-types; for the models with
codebooks vector-quantize-pytorch, einops, einx and loguru. The images are drawn (data=shapes); nothing is downloaded.
"""

import argparse
import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from runs import BATCH, COUNTED, DATA, NOTHING, SETTLE, Watch, by_hand, distributed  # first: it sets the path

# isort: split
import torch
from resuming import copied
from settings import config, options

from genlab.commands.machine import allow_tf32, quieten
from genlab.commands.train import train
from genlab.commands.trainer_arguments import check_trainer
from genlab.config.build import build
from genlab.run.checkpoint import read_checkpoint

PRECISIONS = {"bf16": "bf16-mixed", "fp16": "16-mixed"}
FACTORS = {"on gpu": "data.device=auto", "tf32": "tf32=true"}
COMPILED = {"compile": "model.compile=true", "graphs": "model.compile=reduce-overhead"}
TO_COMPILE = ("vae", "gan", "vaegan")  # which takes most of the time
COLUMNS = (*PRECISIONS, "fp32", "img/s", "MiB", "waits", "resume", "by hand", *FACTORS, *COMPILED)


class Check:
    """The checks of one model. `cells` has what stands in the columns so far."""

    def __init__(self, name: str, device: str, n_steps: int) -> None:
        accelerator = "gpu" if device == "cuda" else "cpu"
        first_stage = "d_start" in config(f"model={name}").model  # whose perceptual network may have to be downloaded
        more = ("model.d_start=0", "model.perceptual_weight=0") if first_stage else ()
        self.typed = (f"model={name}", *DATA, f"trainer.accelerator={accelerator}", *more)
        self.name, self.device, self.n_steps = name, device, n_steps
        self.cells = dict.fromkeys(COLUMNS, "")

    def fitted(self, *typed: str) -> Watch:
        """Train for some steps without callbacks."""
        n_steps = SETTLE + self.n_steps + COUNTED
        cfg = config(*self.typed, f"trainer.max_steps={n_steps}", "trainer.limit_val_batches=0", *typed)
        check_trainer(cfg)
        allow_tf32(cfg.tf32)
        torch.manual_seed(0)
        watch = Watch(self.n_steps)
        build(cfg.trainer, callbacks=[watch], **NOTHING).fit(build(cfg.model), build(cfg.data))
        return watch

    def rate(self, *typed: str) -> float:
        """Images per second."""
        return BATCH * self.n_steps / self.fitted(*typed).seconds

    def work(self, column: str) -> str:
        """Do the check of a column."""
        if column in PRECISIONS:
            return "ok" if self.fitted(f"trainer.precision={PRECISIONS[column]}") else ""
        if column == "fp32":
            return self.plain()
        if column == "resume":
            return self.resume()
        if column == "by hand":
            other = by_hand(config(*self.typed), self.device, self.n_steps)
            return f"{float(self.cells['img/s']) / other:.2f}"
        torch._dynamo.reset()
        return f"{self.rate((FACTORS | COMPILED)[column]) / float(self.cells['img/s']):.2f}"

    def columns(self) -> Iterator[str]:
        """Those that have a check of their own."""
        yield from (*PRECISIONS, "fp32", "resume", "by hand", *FACTORS)
        yield from COMPILED if self.name in TO_COMPILE else ()

    def plain(self) -> str:
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        watch = self.fitted()
        self.cells["img/s"] = f"{BATCH * self.n_steps / watch.seconds:.0f}"
        if self.device == "cuda":
            self.cells["MiB"] = f"{torch.cuda.max_memory_allocated() / 2**20:.0f}"
            self.cells["waits"] = f"{watch.n_waits / COUNTED:.1f}"
        return "ok"

    def resume(self) -> str:
        folder = Path(tempfile.mkdtemp())
        few = ("callbacks=checkpoint", "callbacks.checkpoint.every_n_steps=1", "callbacks.checkpoint.keep=9")
        train(config(*self.typed, *few, "trainer.max_steps=4", run_dir=folder / "whole"))
        train(config(f"resume={copied(folder / 'whole', folder / 'again', 2)}"), [])
        whole, again = (read_checkpoint(folder / run / "checkpoints" / "last.ckpt") for run in ("whole", "again"))
        assert again["global_step"] == whole["global_step"] == 4
        pairs = [(part.double(), again["state_dict"][key].double()) for key, part in whole["state_dict"].items()]
        apart = max((one - other).abs().max().item() for one, other in pairs if one.numel())
        return f"{apart:.0e}" if apart else "equal"


def line(name: str, cells: list[str]) -> str:
    """A row of the table."""
    return f"{name:10}" + "".join(f"{cell:>9}" for cell in cells)


def main() -> int:
    """Print the table; 1 if a check has failed, 2 if there is nothing to check on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", help="all, if left out")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--steps", type=int, default=50, help="that are timed")
    parser.add_argument("--minutes", type=float, default=8.5, help="no check begins after so long")
    asked = parser.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("PyTorch sees no CUDA GPU here: type --device cpu to try the script itself.", file=sys.stderr)
        return 2
    quieten()
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    end, errors = perf_counter() + 60 * asked.minutes, []
    print(torch.cuda.get_device_name() if asked.device == "cuda" else "CPU", "with PyTorch", torch.__version__)
    print(line("model", list(COLUMNS)), flush=True)
    for name in asked.models or options("model"):
        check = Check(name, asked.device, asked.steps)
        for column in check.columns():
            try:
                check.cells[column] = check.work(column) if perf_counter() < end else "no time"
            except Exception as error:  # the others are worth knowing all the same
                check.cells[column] = "FAILED"
                errors.append(f"{name}, {column}: {type(error).__name__}: {str(error)[:300]}")
        print(line(name, list(check.cells.values())), flush=True)
    for name in ("vae", "gan"):
        try:
            print(f"{name:10}  trainer=ddp: {distributed(name, asked.device)}", flush=True)
        except Exception as error:
            errors.append(f"{name}, trainer=ddp: {type(error).__name__}: {error}")
    print(*errors, sep="\n")
    return int(bool(errors))


if __name__ == "__main__":
    sys.exit(main())
