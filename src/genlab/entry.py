"""What an entry script imports first: from here on a signal, or the death of rank 0, ends the process as it should."""

import os

from genlab.interrupts import end_on_signals

end_on_signals()
if "GENLAB_PARENT" in os.environ:
    from genlab.trainer.watch import watch_parent

    watch_parent()
