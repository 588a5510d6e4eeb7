"""Python reads this file when it starts: the callback of saboteur.py may stand in a configuration."""

from genlab.runs import build

build.ALLOWED_PACKAGES += ("saboteur",)
