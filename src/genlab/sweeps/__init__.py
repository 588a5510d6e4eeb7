"""Sweeps: where each cell lies, what is known of it, and how cells are run side by side. Imports nothing heavy."""
