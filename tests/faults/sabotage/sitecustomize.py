"""Python reads this file when it starts: the callback of saboteur.py may stand in a configuration, and a file system
may have no locks.
"""

import errno
import fcntl
import os

from genlab.config import build

build.ALLOWED_PACKAGES += ("saboteur",)


def _refused(*_: object) -> None:
    number = getattr(errno, os.environ["NO_LOCKS"])
    raise OSError(number, os.strerror(number))


if "NO_LOCKS" in os.environ:
    fcntl.flock = _refused
