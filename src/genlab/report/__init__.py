"""The report of a sweep: all its runs on one page. Imports no torch; pandas and matplotlib are paid here alone."""

from genlab.report.write import report, write_report

__all__ = ["report", "write_report"]
