"""Images in Parquet files, as Hugging Face stores them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from resnext.errors import DataError
from resnext.images.image_set import ImageSet
from resnext.images.sources import parquet
from resnext.images.sources.opening import open_images
from tests.support.golden import DATA
from tests.support.image_forms import write_parquet


def rows(*names: str, label: object = 0) -> list[dict[str, object]]:
    return [{"image": {"bytes": name.encode(), "path": name}, "label": label} for name in names]


def contents(images: ImageSet) -> list[tuple[str, bytes]]:
    return [(name, images.reader.read(place)) for place, name in enumerate(images.ids)]


def test_rows_of_several_files_and_groups_are_read_in_any_order(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(250)]
    for number, part in enumerate((names[:100], [], names[100:])):
        write_parquet(tmp_path / f"{number}.parquet", rows(*part), row_group_size=40)
    images = open_images(str(tmp_path))
    assert contents(images) == [(name, name.encode()) for name in names]
    for place in (249, 0, 99, 100, 39, 40, 38, 139, 140, 7):
        assert images.reader.read(place) == f"{place}.jpg".encode()


def test_names_of_classes_are_those_that_hugging_face_stores(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "x.parquet", rows("1.jpg", label=1), names=["cat", "dog, hound"]
    )
    images = open_images(str(path))
    assert (images.classes, images.labels.tolist()) == (("cat", "dog, hound"), [1])


@pytest.mark.parametrize(
    "stored",
    [b"no json", b"{}", b'{"info": {"features": {"label": {"names": {"0": "cat"}}}}}', b"[" * 9999],
    ids=["no json", "empty", "other form", "deep"],
)
def test_names_that_are_not_understood_leave_numbers(tmp_path: Path, stored: bytes) -> None:
    path = write_parquet(tmp_path / "x.parquet", rows("1.jpg"))
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"huggingface": stored}), path)
    assert open_images(str(path)).classes is None


@pytest.mark.parametrize(
    "paths", [["a.jpg", "a.jpg"], ["a.jpg", None], [None, None]], ids=["same", "some", "none"]
)
def test_images_without_names_of_their_own_are_named_by_rows(
    tmp_path: Path, paths: list[str | None]
) -> None:
    stored = [{"image": {"bytes": b"x", "path": path}, "label": 0} for path in paths]
    path = write_parquet(tmp_path / "x.parquet", stored)
    images = open_images(str(path))
    assert images.ids == ("x/000000", "x/000001")
    assert images.numbered


def test_names_that_are_no_text_are_not_taken(tmp_path: Path) -> None:
    image = pa.struct([("bytes", pa.binary()), ("path", pa.binary())])
    stored = [{"image": {"bytes": b"x", "path": b"\xff"}, "label": 0}]
    assert open_images(str(write_parquet(tmp_path / "x.parquet", stored, image=image))).ids == (
        "x/000000",
    )


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    for folder in "ab":
        stored = [{"image": folder.encode(), "label": 0}]
        write_parquet(tmp_path / folder / "x.parquet", stored, image=pa.binary())
    images = open_images(str(tmp_path / "*" / "x.parquet"))
    assert contents(images) == [("0/x/000000", b"a"), ("1/x/000000", b"b")]


@pytest.mark.parametrize(
    ("stored", "image", "label", "message"),
    [
        (
            rows("a", label=None),
            None,
            None,
            "x.parquet: a label in each row expected, found 1 with",
        ),
        (
            rows("a", label=-1),
            None,
            None,
            "labels from 0 expected, found -1 in row 0; -1 stands for",
        ),
        (
            rows("a", label="cat"),
            None,
            pa.string(),
            "column label: whole numbers expected, found st",
        ),
        (
            [{"image": "a", "label": 0}],
            pa.string(),
            None,
            "column image: bytes of image files, .* f",
        ),
        (
            [{"image": {"url": "a"}, "label": 0}],
            pa.struct([("url", pa.string())]),
            None,
            "struct<url",
        ),
        ([], None, None, "x.parquet: rows with images expected, found none"),
    ],
    ids=["null", "test set", "texts", "image of text", "no bytes", "no rows"],
)
def test_columns_that_hold_no_images_and_labels_are_refused(
    tmp_path: Path,
    stored: list[dict[str, object]],
    image: pa.DataType | None,
    label: pa.DataType | None,
    message: str,
) -> None:
    path = write_parquet(tmp_path / "x.parquet", stored, image=image, label=label)
    with pytest.raises(DataError, match=message):
        open_images(str(path))


def test_label_beyond_the_names_is_refused(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x.parquet", rows("a", label=2), names=["cat", "dog"])
    with pytest.raises(
        DataError, match="labels from 0 and below 2, the number of class names, exp"
    ):
        open_images(str(path))


def test_other_columns_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1], "y": [2]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="columns image and label expected, found x, y"):
        open_images(str(tmp_path / "x.parquet"))


def test_files_of_different_classes_are_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", rows("a"), names=["cat"])
    write_parquet(tmp_path / "b.parquet", rows("b"), names=["dog"])
    with pytest.raises(DataError, match=r"b\.parquet: the columns and classes of .*a\.parquet exp"):
        open_images(str(tmp_path))


def test_row_without_bytes_is_named_when_it_is_read(tmp_path: Path) -> None:
    stored = [*rows("a"), {"image": {"bytes": None, "path": "http://elsewhere"}, "label": 0}]
    images = open_images(str(write_parquet(tmp_path / "x.parquet", stored)))
    with pytest.raises(
        DataError, match=r"x\.parquet: bytes of the image in row 1 of row group 0 e"
    ):
        images.reader.read(1)
    assert images.reader.read(0) == b"a"


@pytest.mark.parametrize("size", [4, 40, 800], ids=["magic alone", "header", "most"])
def test_file_that_is_cut_short_is_refused(tmp_path: Path, size: int) -> None:
    path = write_parquet(tmp_path / "x.parquet", rows(*"abcdefgh"))
    assert path.stat().st_size > 800
    os.truncate(path, size)
    with pytest.raises(
        DataError, match=r"x\.parquet: a whole Parquet file expected, found none or"
    ):
        open_images(str(path))


def test_damage_among_the_rows_is_found_when_they_are_read(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x.parquet", rows(*(f"{n:0500d}" for n in range(40))))
    images = open_images(str(path))
    data = bytearray(path.read_bytes())
    data[4:60] = bytes(56)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"x\.parquet: a whole Parquet file expected"):
        [images.reader.read(place) for place in range(40)]


def test_file_that_is_gone_is_named(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x.parquet", rows("a"))
    images = open_images(str(path))
    path.unlink()
    with pytest.raises(DataError, match=r"x\.parquet: .*No such file"):
        images.reader.read(0)


def test_stamp_changes_with_what_is_stored(tmp_path: Path) -> None:
    stamps = {
        open_images(str(write_parquet(tmp_path / "x.parquet", rows(*names)))).reader.stamp()
        for names in (["a", "b"], ["a", "c"], ["a", "b", "c"], ["a", "b"])
    }
    assert len(stamps) == 3


def test_memory_is_that_of_a_page_not_of_a_file(tmp_path: Path) -> None:
    big = [{"image": os.urandom(1 << 20), "label": 0} for _ in range(96)]
    schema = pa.schema([("image", pa.binary()), ("label", pa.int64())])
    path = tmp_path / "x.parquet"
    with pq.ParquetWriter(path, schema, write_batch_size=4) as writer:
        writer.write_table(pa.Table.from_pylist(big, schema=schema))
    assert pq.ParquetFile(path).num_row_groups == 1
    code = f"""
import pyarrow, resource
from resnext.images.sources.opening import open_images
images = open_images({str(path)!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for place in range(96):
    assert len(images.reader.read(place)) == 1 << 20
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 90_000  # kilobytes, of a file of 96 MiB


def test_missing_extra_is_named(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x.parquet", rows("a"))
    (tmp_path / "pyarrow.py").write_text("raise ImportError('not here')")
    code = f"from resnext.images.sources.opening import open_images; open_images({str(path)!r})"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-1] == (
        f"resnext.errors.DataError: {path}: reading Parquet takes pyarrow, which cannot be "
        "imported (not here); `pip install pyarrow` brings it"
    )


def test_labels_that_pandas_wrote_as_floats_are_read(tmp_path: Path) -> None:
    stored = [*rows("a", label=3.0), *rows("b", label=0.0)]
    path = write_parquet(tmp_path / "x.parquet", stored, label=pa.float64())
    assert open_images(str(path)).labels.tolist() == [3, 0]


@pytest.mark.parametrize("label", [0.5, float("nan"), -1.0, 1e300])
def test_labels_that_are_fractions_are_refused(tmp_path: Path, label: float) -> None:
    path = write_parquet(tmp_path / "x.parquet", rows("a", label=label), label=pa.float64())
    with pytest.raises(DataError, match=r"whole numbers from 0 as labels expected, found .* row 0"):
        open_images(str(path))


@pytest.mark.parametrize("twice", ["image", "label"])
def test_two_columns_of_one_name_are_refused(tmp_path: Path, twice: str) -> None:
    columns = {"image": pa.array([b"x"]), "label": pa.array([0])}
    names = ["image", "label", twice]
    table = pa.Table.from_arrays([columns[name] for name in names], names=names)
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(DataError, match=rf"x.parquet: one column {twice} expected, found 2"):
        open_images(str(tmp_path / "x.parquet"))


def test_column_labels_is_taken_where_there_is_no_label(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [b"x"], "labels": [7]}), tmp_path / "x.parquet")
    assert open_images(str(tmp_path / "x.parquet")).labels.tolist() == [7]


def test_more_rows_than_any_set_has_are_refused_at_once(tmp_path: Path) -> None:
    schema = pa.schema([("image", pa.binary()), ("label", pa.int64())])
    labels = pa.array(np.zeros(3_000_000, np.int64))
    places = pa.array(np.zeros(3_000_000, np.int32))
    same = pa.DictionaryArray.from_arrays(places, pa.array([b"x"])).cast(pa.binary())
    with pq.ParquetWriter(tmp_path / "x.parquet", schema) as writer:
        for _ in range(7):
            writer.write_table(pa.table({"image": same, "label": labels}, schema=schema))
    assert (tmp_path / "x.parquet").stat().st_size < 200_000
    begin = time.monotonic()
    with pytest.raises(DataError, match=r"at most 20,000,000 rows expected, found 21,000,000;"):
        open_images(str(tmp_path / "x.parquet"))
    assert time.monotonic() - begin < 2


def test_more_rows_in_several_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "MOST_ROWS", 3)
    for number in range(2):
        write_parquet(tmp_path / f"{number}.parquet", rows("a", "b"))
    with pytest.raises(DataError, match=r"1.parquet: at most 3 rows expected, found 4; take a p"):
        open_images(str(tmp_path))


def test_long_names_that_a_file_repeats_are_refused_at_once(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x.parquet", rows(*["n" * 100_000] * 300))
    with pytest.raises(
        DataError,
        match=r"names of at most 4096 letters expected, found 50 of 5000200 bytes in",
    ):
        open_images(str(path))
    few = write_parquet(tmp_path / "few.parquet", rows("a" * 5000, "b"))
    with pytest.raises(
        DataError, match=r"at most 4096 letters expected, found one of 5000 letters$"
    ):
        open_images(str(few))


def repeated(values: "pa.Array", count: int) -> "pa.DictionaryArray":
    """Return an array that repeats some values, and is stored as it is, with each of them once."""
    places = pa.array(np.arange(count) % len(values), pa.int32())
    return pa.DictionaryArray.from_arrays(places, values)


def write_repeated(path: Path, images: "pa.Array", names: "pa.Array", *, count: int) -> Path:
    """Write a file whose rows repeat images and names, which it holds once."""
    columns = [repeated(images, count), repeated(names, count)]
    struct = pa.StructArray.from_arrays(columns, ["bytes", "path"])
    table = pa.table({"image": struct, "label": np.zeros(count, np.int64)})
    pq.write_table(
        table, path, compression="zstd", store_schema=False, dictionary_pagesize_limit=1 << 30
    )
    assert path.stat().st_size < 100_000
    return path


@pytest.mark.parametrize("letters", [1 << 16, 50 << 20])
def test_one_long_name_in_a_dictionary_takes_no_memory(tmp_path: Path, letters: int) -> None:
    images, names = pa.array([b"x"]), pa.array(["a", "b" * letters])
    path = write_repeated(tmp_path / "x.parquet", images, names, count=4000)
    code = f"""
import pyarrow.parquet, resource
from resnext.errors import DataError
from resnext.images.sources.opening import open_images
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
try:
    open_images({str(path)!r})
except DataError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"{path}: column image: names of at most 4096 letters expected, found " in done.stdout


def test_one_large_picture_in_a_dictionary_is_in_memory_a_few_times(tmp_path: Path) -> None:
    images = pa.array([b"x", bytes(50 << 20)], pa.binary())
    names = pa.array([f"{place}.jpg" for place in range(100)])
    path = write_repeated(tmp_path / "x.parquet", images, names, count=100)
    code = f"""
import pyarrow.parquet, resource
from resnext.images.sources.opening import open_images
images = open_images({str(path)!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert [len(images.reader.read(place)) for place in range(4)] == [1, 50 << 20] * 2
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 600_000  # kilobytes; a batch of 32 rows would be 800 MB


def test_damaged_statistics_of_a_column_end_no_process() -> None:
    """Asked for the metadata of such a column, pyarrow calls `terminate` of C++."""
    path = DATA / "parquet" / "damaged_statistics.parquet"
    code = f"""
from resnext.errors import DataError
from resnext.images.sources.opening import open_images
try:
    images = open_images({str(path)!r})
    images.reader.read(len(images) - 1)
except DataError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path}: a whole Parquet file expected, found none or a damaged")
    assert done.stderr == ""
