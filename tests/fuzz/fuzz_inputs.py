"""A fuzz run over what names images and numbers: tars, CIFAR archives, Parquet, CSV and TOML.

    TMPDIR=/dev/shm python tests/fuzz/fuzz_inputs.py --seconds 1200 --record

Legal files are changed at random: bytes and runs of bytes are replaced, repeated, taken out and
mixed, in a tar also the fields of headers, whose checksums are made right again, and in a text
whole values. Parquet files are also written anew with columns and values that nobody expects, as
pyarrow refuses nearly all whose bytes are changed. Every input has to end as a set, a table or an
error of this project, within `LIMIT` seconds and `MEMORY` bytes; anything else stops the run, and
the input is kept. Each kind gets as much time. The same seed makes the same inputs, and
`--only KIND --number N` begins with one of them. `--record` writes the figures to
benchmarks/results/fuzz_inputs.json.
"""

import argparse
import gzip
import io
import resource
import shutil
import signal
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.runs import write_result  # noqa: E402
from resnext.errors import ResnextError  # noqa: E402
from resnext.images.alignment import aligned  # noqa: E402
from resnext.images.sources.opening import open_images  # noqa: E402
from resnext.preprocessing import read_preprocessing  # noqa: E402
from resnext.published import read_table  # noqa: E402

LIMIT = 5  # seconds for one input
MEMORY = 4 << 30  # bytes of addresses
LONGEST = 2000  # letters of a message
LONGEST_TEXT = 1 << 20  # bytes of a changed text
BLOCK = 512
# Places in a header of a tar: name, size, kind, "ustar".
FIELDS = ((0, 100), (124, 136), (156, 157), (257, 263))
NUMBERS = (b"0", b"-1", b"9" * 40, b"1e400", b"nan", b"\x80" + b"\xff" * 11, b"[", b"{", b"\0")
# Values of tables and of labels.
VALUES = (
    *(b"1", b"0", b"-1", b"2.0", b"1e400", b"nan", b"inf", b'"nan"', b"9" * 5000, b"0x10", b"1_0"),
    *(b'""', b'"a"', b"[]", b"[1, 2, 3]", b"[[1]]", b"{}", b"{a = 1}", b"true", b"1979-05-27"),
    *(b'"' + b"y" * 3000 + b'"', b'"\\u0000"', b'"\\uD800"', b"[" * 3000, b"a.b.c = 1", b"\xff"),
    *(b'"22.2"', b'"101"', b'"top1_error"', b"n01440764", b"=1+1", b"\x1b[31m", b'"unclosed'),
)
FLAT = ("a.jpg", "b.png")  # pictures in one folder
LABEL_NAMES = ("label", "labels", "fine_label", "other")
IMAGE_NAMES = ("image", "img", "image", "x")
KINDS = b"0123456789xgXSLKDMVN\0"


def tar_of(members: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar with these members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


def tars() -> list[bytes]:
    """Return class folders, shards and names that take extended headers."""
    folders = {f"{name}/{number}.jpg": b"x" for name in "ab" for number in range(3)}
    shards = {"1.jpg": b"x", "1.cls": b"3", "2.jpg": b"x", "2.json": b'{"label": 4}'}
    long = {f"{'long/' * 30}é{number}/x.jpg": b"x" for number in range(3)}
    forms = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    found = [tar_of(members, form) for members in (folders, shards) for form in forms]
    return [*found, *(tar_of(long, form) for form in forms[1:])]


def cifars() -> list[bytes]:
    """Return archives of CIFAR-10, not packed."""
    files = [f"data_batch_{number}.bin" for number in range(1, 6)]
    members = {f"cifar-10-batches-bin/{name}": b"\1" + bytes(3072) for name in files}
    members |= {"test_batch.bin": b"\1" + bytes(3072)}
    members |= {"batches.meta.txt": b"a b c d e f g h i j"}
    return [tar_of(members), tar_of(members, tarfile.GNU_FORMAT)]


def parquets() -> list[bytes]:
    """Return files with images of bytes and of structs, and labels of several kinds."""
    found = []
    for labels in (
        pa.array([0, 1, 2]),
        pa.array([0.0, None, 2.0]),
        pa.array([2, 1, 0], pa.uint8()),
    ):
        structs = [{"bytes": b"x", "path": f"{number}.jpg"} for number in range(3)]
        for images in (pa.array([b"x"] * 3), pa.array(structs)):
            file = io.BytesIO()
            table = pa.table({"image": images, "label": labels})
            pq.write_table(table, file, row_group_size=2, compression="none")
            found.append(file.getvalue())
    return found


def odd_parquet(_data: bytes, _other: bytes, random: Random) -> bytes:
    """Return a whole file of a few rows, whose columns and values are drawn at random."""
    rows = random.choice((0, 1, 3, 3, 30))
    columns = [(name, _labels(rows, random)) for name in random.choices(LABEL_NAMES, k=2)]
    columns += [(name, _images(rows, random)) for name in random.choices(IMAGE_NAMES, k=2)]
    random.shuffle(columns)
    columns = columns[: random.choice((2, 3, 4))]
    schema = pa.schema([pa.field(name, column.type) for name, column in columns])
    if random.random() < 0.5:
        names = random.choice(
            (b'["a", "b"]', b"[]", b'[""]', b"[1]", b'"ab"', b"{}", b'["a", "a"]')
        )
        features = b'{"label": {"names": %s}, "labels": {"names": ["b"]}}' % names
        stored = random.choice((b'{"info": {"features": %s}}' % features, features, b"[" * 2000))
        schema = schema.with_metadata({b"huggingface": stored})
    table = pa.Table.from_arrays([column for _, column in columns], schema=schema)
    file = io.BytesIO()
    pq.write_table(
        table,
        file,
        row_group_size=random.choice((2, 1000)),
        compression=random.choice(("none", "zstd", "snappy")),
        use_dictionary=random.random() < 0.7,
        store_schema=random.random() < 0.7,
    )
    return file.getvalue()


def _labels(rows: int, random: Random) -> pa.Array:
    wide = (0, 1, 9, 255, -1, 2**31, 2**62, -(2**63), None)
    values = random.choices(random.choice(((0, 1), (0, 1, 2, 3), wide)), k=rows)
    kind = random.choice(
        (pa.int64(), pa.int32(), pa.uint64(), pa.float64(), pa.string(), pa.bool_())
    )
    if kind == pa.float64():
        odd = (0.0, 1.0, 0.5, float("nan"), float("inf"), -0.0, 1e300, None)
        return pa.array(random.choices(odd, k=rows), kind)
    if kind == pa.string():
        return pa.array([None if value is None else str(value) for value in values], kind)
    if kind == pa.bool_():
        return pa.array([None if value is None else bool(value) for value in values], kind)
    try:
        return pa.array(values, kind)
    except (OverflowError, pa.ArrowInvalid):
        return pa.array([0] * rows, kind)


def _images(rows: int, random: Random) -> pa.Array:
    texts = ("a.jpg", "a.jpg", "", "b/../c.png", "n" * 5000, "\x1b[31m\n", "é", None)
    contents = (b"", b"x", b"\xff\xd8\xff" * 100, bytes(1 << 12), None)
    stored = pa.array(
        random.choices(contents, k=rows), random.choice((pa.binary(), pa.large_binary()))
    )
    names = [*random.choices(texts, k=rows)]
    if random.random() < 0.5:
        names = [f"{number}.jpg" for number in range(rows)]
    path: pa.Array = pa.array(names, pa.string())
    match random.randrange(6):
        case 0:
            return stored
        case 1:
            return path
        case 2:
            places = pa.array(np.arange(rows) % 2, pa.int32())
            huge = pa.array(["a.jpg", "b" * random.choice((10, 1 << 20))])
            path = pa.DictionaryArray.from_arrays(places, huge)
        case 3:
            return pa.array([[1]] * rows, pa.list_(pa.int8()))
        case 4:
            return pa.StructArray.from_arrays([stored], ["bytes"])
    return pa.StructArray.from_arrays([stored, path], ["bytes", "path"])


def csvs() -> list[bytes]:
    """Return tables of labels for the pictures of `FLAT`, as people write them."""
    first, second = FLAT
    return [
        f"file,label\n{first},0\n{second},1\n".encode(),
        f"{first} n01440764\n{second} n01443537\n".encode(),
        f"ImageId,Prediction\n{first[:-4]},n01440764 1 2 3\n{second[:-4]},n01440764\n".encode(),
        f"{first};0.0\r\n{second};3.0\r\n".encode(),
        f'\ufeff"{first}"\tcat\n"{second}"\tdog, small\n'.encode(),
    ]


def changed_text(data: bytes, other: bytes, random: Random) -> bytes:
    """Return the text with lines and values replaced, repeated and taken out."""
    lines = data.split(b"\n")
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(lines))
        match random.randrange(6):
            case 0:
                lines[place:place] = random.choices(other.split(b"\n"), k=random.randint(1, 3))
            case 1:
                lines[place : place + 1] = []
            case 2:
                times = random.choice((2, 3, 3000))
                lines[place] = lines[place][: LONGEST_TEXT // times] * times
            case _:
                mark = random.choice((b"=", b",", b" ", b";", b"\t"))
                head, found, _ = lines[place].partition(mark)
                lines[place] = head + found + random.choice(VALUES)
        lines = lines or [b""]
    found = b"\n".join(lines)[:LONGEST_TEXT]
    return changed(found, other, random) if random.random() < 0.2 else found


def tomls() -> list[bytes]:
    """Return tables of claims, and preprocessing."""
    claims = (ROOT / "examples" / "digits" / "claims.toml").read_bytes()
    return [claims, b"scale = 36\ncrop = 32\nmean = [0.5, 0.4, 0.3]\nstd = [0.2, 0.2, 0.2]\n"]


def changed(data: bytes, other: bytes, random: Random) -> bytes:
    """Return the data with one to six changes, some of them parts of other data."""
    found = bytearray(data)
    for _ in range(random.randint(1, 6)):
        place = random.randrange(len(found) + 1)
        size = min(1 << random.randrange(11), len(found) - place)
        match random.randrange(6):
            case 0:
                found[place : place + 1] = bytes([random.randrange(256)])
            case 1:
                found[place : place + size] = b""
            case 2:
                found[place:place] = found[place : place + size] * random.choice((1, 2, 50))
            case 3:
                begin = random.randrange(len(other))
                found[place : place + size] = other[begin : begin + size]
            case 4:
                found[place : place + random.randrange(12)] = random.choice(NUMBERS)
            case 5:
                del found[place:]
        del found[1 << 20 :]
    return bytes(found)


def changed_tar(data: bytes, other: bytes, random: Random) -> bytes:
    """Return the tar with changes of headers, members and bytes; its checksums are right."""
    blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
    others = [other[at : at + BLOCK] for at in range(0, len(other), BLOCK)]
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(blocks))
        match random.randrange(4):
            case 0:
                begin, end = random.choice(FIELDS)
                value = random.choice((*NUMBERS, bytes([random.choice(KINDS)]), b"00000001000"))
                value = value[: end - begin].ljust(end - begin, b"\0")
                blocks[place] = blocks[place][:begin] + value + blocks[place][end:]
            case 1:
                blocks[place:place] = random.choice((blocks, others))[place : place + 3]
            case 2:
                blocks[place] = changed(blocks[place], other, random)[:BLOCK].ljust(BLOCK, b"\0")
            case 3:
                blocks[place : place + 1] = []
        blocks = blocks or others
    return b"".join(map(_with_checksum, blocks))


def _with_checksum(block: bytes) -> bytes:
    if block[257:262] != b"ustar":
        return block
    total = sum(block[:148]) + 8 * 32 + sum(block[156:])
    return block[:148] + b"%06o\0 " % total + block[156:]


def read_tar(path: Path) -> None:
    """Open a tar and read what it holds."""
    images = open_images(str(path))
    for place in range(min(len(images), 4)):
        try:
            images.reader.read(place)
        except ResnextError as error:
            check_message(error)
    images.digest()
    aligned(images, classes=10, names=None)


def read_csv(path: Path) -> None:
    """Read a table of labels for two pictures, and align them with a network."""
    folder = path.parent / "flat"
    folder.mkdir(exist_ok=True)
    for name in FLAT:
        (folder / name).touch()
    images = open_images(str(folder), labels=path)
    for names in (None, ("cat", "dog", "0", "1")):
        try:
            aligned(images, classes=4, names=names)
        except ResnextError as error:
            check_message(error)


def check_message(error: ResnextError) -> None:
    """Refuse a message with a value from a file that is not shown in part."""
    if len(str(error)) > LONGEST:
        raise RuntimeError(f"a message of {len(str(error))} letters") from error


def read_cifar(path: Path) -> None:
    """Open an archive of CIFAR."""
    cache = path.parent / "cache"
    try:
        open_images(str(path), cache=cache).digest()
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def read_toml(path: Path) -> None:
    """Read a table of claims, or else preprocessing."""
    try:
        read_table(path)
    except ResnextError:
        read_preprocessing(path)


# Kind -> name of the file, legal files, how they are changed, how they are read.
Change = Callable[[bytes, bytes, Random], bytes]
TARGETS: dict[str, tuple[str, list[bytes], Change, Callable[[Path], None]]] = {
    "tar": ("x.tar", tars(), changed_tar, read_tar),
    "bytes of a tar": ("x.tar", tars(), changed, read_tar),
    "cifar": ("x.tar.gz", cifars(), changed_tar, read_cifar),
    "bytes of parquet": ("x.parquet", parquets(), changed, read_tar),
    "parquet": ("x.parquet", [b""], odd_parquet, read_tar),
    "csv": ("x.csv", csvs(), changed_text, read_csv),
    "toml": ("x.toml", tomls(), changed_text, read_toml),
    "bytes of toml": ("x.toml", tomls(), changed, read_toml),
}


def try_one(kind: str, folder: Path, random: Random) -> str:
    """Read one changed input, and return how that ended: "read" or "refused"."""
    name, legal, change, read = TARGETS[kind]
    data = change(random.choice(legal), random.choice(legal), random)
    path = folder / name
    path.write_bytes(gzip.compress(data, 1) if name.endswith(".gz") else data)
    signal.alarm(LIMIT)
    try:
        read(path)
    except ResnextError as error:
        check_message(error)
        return "refused"
    finally:
        signal.alarm(0)
    return "read"


def main() -> None:
    """Run for some seconds, or until an input ends otherwise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=TARGETS)
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _too_long)
    folder = Path(tempfile.mkdtemp())
    counts: Counter[str] = Counter()
    kinds = [options.only] if options.only else list(TARGETS)
    spent, numbers = dict.fromkeys(kinds, 0.0), dict.fromkeys(kinds, options.number)
    begin = now = time.monotonic()
    while now < begin + options.seconds:
        kind = min(spent, key=lambda kind: spent[kind])
        random = Random(f"{kind} {options.seed} {numbers[kind]}")  # noqa: S311 - not for secrets
        try:
            counts[f"{kind}: {try_one(kind, folder, random)}"] += 1
        except BaseException:
            words = f"--seed {options.seed} --only '{kind}' --number {numbers[kind]}"
            print(f"{words}; the input is in {folder}", file=sys.stderr)
            raise
        numbers[kind] += 1
        before, now = now, time.monotonic()
        spent[kind] += now - before
    shutil.rmtree(folder)
    fields = {
        "executions": counts.total(),
        "seconds": round(time.monotonic() - begin),
        "ends": dict(sorted(counts.items())),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1),
        "command": " ".join(["python", "tests/fuzz/fuzz_inputs.py", *sys.argv[1:]]),
    }
    print(fields)
    if options.record:
        write_result("fuzz_inputs", fields, ("numpy", "pyarrow", "resnext"))


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {LIMIT} seconds for one input")


if __name__ == "__main__":
    main()
