"""`src/train.py` whose third step prints a variable of the environment, warns of it and fails with it.

The variable's name comes first on the command line. run/test_secrets.py starts it.
"""

import os
import runpy
import sys
import warnings
from pathlib import Path

from genlab.models import VAE

step, name = VAE.training_step, sys.argv.pop(1)


def leaking(self, batch, batch_idx):
    if batch_idx == 2:
        value = os.environ[name]
        print(f"printed {value}")
        warnings.warn(f"warned of {value}", stacklevel=1)
        raise RuntimeError(f"failed with {value}")
    return step(self, batch, batch_idx)


VAE.training_step = leaking  # type: ignore[method-assign]
script = Path(__file__).parents[1] / "src" / "train.py"
sys.argv[0] = str(script)
runpy.run_path(str(script), run_name="__main__")
