"""Small pictures, kept where pictures are decoded, and the page that `--html` makes of them."""

import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from predict.thumbnails import KeepingPreparation, ThumbnailFolder
from resnext.pixels.transforms import RawCrop
from resnext.preprocessing import Preprocessing
from tests.support import warm
from tests.support.golden import ROOT

DIGITS = ROOT / "examples" / "digits"
ROW = Preprocessing(scale=None, crop=2, mean=(0, 0, 0), std=(1, 1, 1), white=255)
Run = Callable[..., subprocess.CompletedProcess[str]]


def test_thumbnails_have_names_by_their_numbers(tmp_path: Path) -> None:
    folder = ThumbnailFolder(path=str(tmp_path / "some"))
    for number, data in ((0, b"\xff\xd8\xff"), (1234, b"\x89PNG"), (2, b"GIF89a")):
        folder.keep(number, data)
    assert [folder.kind(number) for number in (0, 1, 2, 1234)] == ["jpg", "", "", "png"]
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert found == ["some/000/000.jpg", "some/001/234.png"]


@pytest.mark.parametrize("on_device", [False, True])
def test_preparation_keeps_a_picture_and_changes_no_input(tmp_path: Path, on_device: bool) -> None:
    pixels = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    folder = ThumbnailFolder(path=str(tmp_path))
    found = KeepingPreparation(ROW, 1, on_device, folder)(pixels, 7)
    if on_device:
        assert isinstance(found, RawCrop)
    else:  # ceil((3 - 2) / 2): the crop begins behind the first row and column
        np.testing.assert_array_equal(found, pixels[1:, 1:].transpose(2, 0, 1))
    (path,) = tmp_path.rglob("*.png")
    assert path.name == "007.png"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(path.read_bytes()))), pixels)


def test_picture_that_cannot_be_kept_is_answered_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = ThumbnailFolder(path=str(tmp_path / "file" / "folder"))
    pixels = np.zeros((2, 2, 3), np.uint8)
    assert KeepingPreparation(ROW, 1, False, folder)(pixels, 0).shape == (3, 2, 2)
    assert folder.kind(0) == ""


# The command


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs the command in a folder with six digits, a broken one among them."""
    shutil.copy(DIGITS / "resnext_11_8x4d_digits.t7", tmp_path)
    (tmp_path / "new" / "deep").mkdir(parents=True)
    for path in sorted((DIGITS / "val" / "3_three").iterdir())[:5]:
        shutil.copy(path, tmp_path / "new" / "deep")
    (tmp_path / "new" / "a_broken.JPEG").write_bytes(b"nothing")

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        row = ("--preprocessing", str(DIGITS / "preprocessing.toml"))
        return warm.run("predict.cli", ("resnext_11_8x4d_digits.t7", *row, *words), cwd=tmp_path)

    return command


def rows(page: Path) -> list[list[object]]:
    start = '<script type="application/json" id="rows">'
    html = (page / "index.html").read_text(encoding="utf-8")
    found: list[list[object]] = json.loads(html.partition(start)[2].partition("</script>")[0])
    return found


@pytest.mark.parametrize("workers", ["0", "2"])
def test_html_has_every_picture_with_its_thumbnail(run: Run, tmp_path: Path, workers: str) -> None:
    done = run("new", "--html", "page", "--json", "--workers", workers, "--batch-size", "2")
    assert done.returncode == 2
    assert "1 of 6 pictures could not be read" in done.stderr
    expected = json.loads(done.stdout)["predictions"]
    found = rows(tmp_path / "page")
    assert [row[0] for row in found] == [each["image"] for each in expected]
    kinds = {str(row[0]): row[1] for row in found}
    assert kinds.pop("new/a_broken.JPEG") == ""
    assert set(kinds.values()) == {"png"}
    for row, each in zip(found, expected, strict=True):
        if "error" in each:
            assert row[2] == each["error"]
            continue
        top = [(answer["label"], answer["probability"]) for answer in each["top"]]
        assert [label for label, _ in row[2]] == [label for label, _ in top]
        np.testing.assert_allclose([x for _, x in row[2]], [x for _, x in top], atol=1.1e-6)
    thumbnails = sorted((tmp_path / "page" / "thumbnails").rglob("*.png"))
    for path, (name, _, _) in zip(thumbnails, [row for row in found if row[1]], strict=True):
        with Image.open(path) as small, Image.open(tmp_path / str(name)) as whole:
            np.testing.assert_array_equal(np.asarray(small), np.asarray(whole.convert("RGB")))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("new", "--html", "new"), r"new holds other files"),
        (("new", "--html", "nowhere/page"), "nowhere: an existing folder expected"),
        (("new", "--html", "resnext_11_8x4d_digits.t7"), "is no folder, which the page is"),
        (
            ("new", "--html", "x.csv", "--output", "x.csv"),
            "outputs of two names expected, found x.csv",
        ),
        (("old/thumbnails", "--html", "old"), "without pictures that are read expected; found old"),
    ],
    ids=["pictures", "no parent", "file", "two outputs", "page of before"],
)
def test_html_in_the_way_is_one_line_and_nothing_is_written(
    run: Run, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    (tmp_path / "old" / "thumbnails").mkdir(parents=True)
    (tmp_path / "old" / "index.html").touch()
    shutil.copy(DIGITS / "val" / "3_three" / "0013.JPEG", tmp_path / "old" / "thumbnails")
    before = sorted(tmp_path.rglob("*"))
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("resnext-predict: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
