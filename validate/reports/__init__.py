"""A measurement as files: for programs, for a CI job's page, and for people."""

from validate.reports.failure import FailedRun
from validate.reports.folder import prepare_folder, write_failed_run, write_reports
from validate.reports.json_report import to_json

__all__ = ["FailedRun", "prepare_folder", "to_json", "write_failed_run", "write_reports"]
