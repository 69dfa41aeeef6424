"""A measurement as files: for programs, for a CI job's page, and for people."""

from validate.reports.fields import to_json
from validate.reports.folder import write_reports

__all__ = ["to_json", "write_reports"]
