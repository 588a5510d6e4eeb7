"""Sweeps on this machine: many runs side by side, each in a process of its own. Imports nothing heavy."""
