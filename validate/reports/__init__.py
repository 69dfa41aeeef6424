"""A measurement as files: for programs, for a CI job's page, and for people."""

from validate.reports.folder import write_reports
from validate.reports.json_report import to_json

__all__ = ["to_json", "write_reports"]
