"""The digits of examples/digits/val in every form that images come in."""

import csv
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.golden import ROOT

VAL = ROOT / "examples" / "digits" / "val"
CLASSES = tuple(sorted(path.name for path in VAL.iterdir()))


def digits(root: Path = VAL) -> Iterator[tuple[str, str, bytes, int]]:
    """Yield (class, file, bytes, label) of the pictures, walked through independently."""
    for label, name in enumerate(CLASSES):
        for path in sorted((root / name).iterdir()):
            yield name, path.name, path.read_bytes(), label


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def write_csv(path: Path, rows: list[tuple[object, ...]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def write_parquet(
    path: Path,
    rows: list[dict[str, object]],
    *,
    image: pa.DataType | None = None,
    label: pa.DataType | None = None,
    names: list[str] | None = None,
    row_group_size: int = 50,
) -> Path:
    fields = [
        ("image", image or pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("label", label or pa.int64()),
    ]
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    stored = json.dumps({"info": {"features": features}})
    schema = pa.schema(fields, metadata={"huggingface": stored} if names else None)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, row_group_size=row_group_size)
    return path


Opening = dict[str, object]  # arguments of `open_images`


def class_folders(_: Path) -> Opening:
    return {"data": str(VAL)}


def above_class_folders(_: Path) -> Opening:
    return {"data": str(VAL.parent)}


def flat(root: Path, label: Callable[[str, int], object]) -> Opening:
    (root / "flat").mkdir()
    rows: list[tuple[object, ...]] = []
    for name, file, data, number in digits():
        (root / "flat" / file).write_bytes(data)
        rows.append((file, label(name, number)))
    return {"data": str(root / "flat"), "labels": write_csv(root / "labels.csv", rows[::-1])}


def flat_by_name(root: Path) -> Opening:
    return flat(root, lambda name, _: name)


def flat_by_number(root: Path) -> Opening:
    return flat(root, lambda _, number: number)


def flat_tar(root: Path) -> Opening:
    rows: list[tuple[object, ...]] = [("file", "label")]
    with tarfile.open(root / "flat.tar", "w") as tar:
        for _, file, data, number in digits():
            add(tar, file, data)
            rows.append((file, number))
    return {"data": str(root / "flat.tar"), "labels": write_csv(root / "labels.csv", rows)}


def tar_of_folders(root: Path) -> Opening:
    with tarfile.open(root / "folders.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(VAL, ".")
    return {"data": str(root / "folders.tar")}


def tar_with_val(root: Path) -> Opening:
    with tarfile.open(root / "set.tar", "w") as tar:
        add(tar, "digits/train/0_zero/other.JPEG", b"not for validation")
        for name, file, data, _ in reversed(list(digits())):
            add(tar, f"digits/val/{name}/{file}", data)
    return {"data": str(root / "set.tar")}


def shards(root: Path, label: Callable[[int], tuple[str, bytes]]) -> Path:
    folder = root / "shards"
    folder.mkdir()
    tars = [tarfile.open(folder / f"digits-val-{number:02d}.tar", "w") for number in range(3)]  # noqa: SIM115
    for number, (_, _, data, digit) in enumerate(digits()):
        add(tars[number % 3], f"sample_{number:04d}.jpg", data)
        extension, text = label(digit)
        add(tars[number % 3], f"sample_{number:04d}.{extension}", text)
    for tar in tars:
        tar.close()
    return folder


def folder_of_shards(root: Path) -> Opening:
    return {"data": str(shards(root, lambda digit: ("cls", str(digit).encode())))}


def shards_by_braces(root: Path) -> Opening:
    folder = shards(root, lambda digit: ("cls", f"{digit}\n".encode()))
    return {"data": str(folder / "digits-val-{00..02}.tar")}


def shards_with_json(root: Path) -> Opening:
    folder = shards(root, lambda digit: ("json", json.dumps({"label": digit}).encode()))
    return {"data": str(folder / "*.tar")}


def parquet_rows() -> list[dict[str, object]]:
    return [
        {"image": {"bytes": data, "path": file}, "label": number}
        for _, file, data, number in digits()
    ]


def folder_of_parquet(root: Path) -> Opening:
    rows = parquet_rows()
    for number in range(2):
        name = f"validation-{number:05d}-of-00002.parquet"
        part = rows[number * 180 : (number + 1) * 180]
        write_parquet(root / "hf" / "data" / name, part, names=list(CLASSES))
    write_parquet(root / "hf" / "data" / "train-00000-of-00001.parquet", rows[:3])
    return {"data": str(root / "hf")}


def parquet_by_glob(root: Path) -> Opening:
    folder_of_parquet(root)
    return {"data": str(root / "hf" / "data" / "validation-*.parquet")}


def plain_parquet(root: Path) -> Opening:
    rows = [{"image": data, "label": number} for _, _, data, number in digits()]
    path = write_parquet(root / "x.parquet", rows, image=pa.large_binary(), label=pa.uint8())
    return {"data": str(path)}


FORMS: dict[str, Callable[[Path], Opening]] = {
    form.__name__: form
    for form in (
        class_folders,
        above_class_folders,
        flat_by_name,
        flat_by_number,
        flat_tar,
        tar_of_folders,
        tar_with_val,
        folder_of_shards,
        shards_by_braces,
        shards_with_json,
        folder_of_parquet,
        parquet_by_glob,
        plain_parquet,
    )
}
