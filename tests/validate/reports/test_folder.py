"""The folder of reports is made ready before a run, and never holds those of two."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sample_report import sample_report
from validate.reports import FailedRun, prepare_folder, write_failed_run, write_reports
from validate.reports.folder import ReportFolderError

NAMES = ("report.json", "report.md", "junit.xml", "predictions.csv", "report.html")
FAILED = FailedRun(reason="no images", command="resnext-validate", versions={})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of its own of 512 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_reports_of_an_earlier_run_go_and_other_files_stay(tmp_path: Path) -> None:
    for name in (*NAMES, "run.jsonl", "notes.md"):
        (tmp_path / name).write_text("earlier")
    prepare_folder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.md", "run.jsonl"]


def test_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_folder_in_the_place_of_a_report_is_refused_and_no_old_report_stays(
    tmp_path: Path, name: str
) -> None:
    for each in NAMES:
        (tmp_path / each).write_text("earlier")
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(ReportFolderError) as caught:
        prepare_folder(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / name}: this is where a report is to be written, found a folder; remove it, "
        "or name another --output"
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_text("mine")
    with pytest.raises(ReportFolderError, match="report: a folder expected, found a file"):
        prepare_folder(path)
    with pytest.raises(ReportFolderError, match="written there: Not a directory; name another"):
        prepare_folder(path / "below")
    assert path.read_text() == "mine"


def test_full_disk_is_found_before_anything_is_measured(small_disk: Path) -> None:
    with pytest.raises(ReportFolderError) as caught:
        prepare_folder(small_disk)
    assert str(caught.value) == (
        f"{small_disk}: reports cannot be written there: No space left on device; name another "
        "--output"
    )
    assert list(small_disk.iterdir()) == []


def test_disk_that_cannot_be_written_is_found_before_anything_is_measured(small_disk: Path) -> None:
    (small_disk / "report.md").write_text("earlier")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(ReportFolderError) as caught:
        prepare_folder(small_disk)
    assert str(caught.value) == (
        f"{small_disk / 'report.md'}: reports cannot be written there: Read-only file system; "
        "name another --output"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission_is_found_before_anything_is_measured(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(ReportFolderError, match="written there: Permission denied"):
        prepare_folder(tmp_path)


def test_failed_run_replaces_all_reports_of_an_earlier_one(tmp_path: Path) -> None:
    write_reports(sample_report(), tmp_path)
    paths = write_failed_run(FAILED, tmp_path)
    assert paths == tuple(tmp_path / name for name in ("report.json", "report.md", "junit.xml"))
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert "no images" in (tmp_path / "report.md").read_text()


def test_reports_replace_all_of_a_failed_run(tmp_path: Path) -> None:
    write_failed_run(FAILED, tmp_path)
    write_reports(sample_report(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)
    assert not [path for path in tmp_path.iterdir() if b"no images" in path.read_bytes()]


def test_report_that_cannot_take_its_name_leaves_none_of_either_run(tmp_path: Path) -> None:
    write_failed_run(FAILED, tmp_path)
    (tmp_path / "junit.xml").unlink()
    (tmp_path / "junit.xml").mkdir()
    with pytest.raises(ReportFolderError, match=r"junit.xml: this is where a report is to be"):
        write_reports(sample_report(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["junit.xml"]
