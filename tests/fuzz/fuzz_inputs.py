"""A fuzz run over what names images and numbers: tars, CIFAR archives, Parquet files and TOML.

    python tests/fuzz/fuzz_inputs.py --seconds 1200 --record

Legal files are changed at random: bytes and runs of bytes are replaced, repeated, taken out and
mixed, in a tar also the fields of headers, whose checksums are made right again. Every input has to
end as a set, a table or an error of this project, within `LIMIT` seconds and `MEMORY` bytes;
anything else stops the run, and the input is kept. The same seed makes the same inputs. `--record`
writes the figures to benchmarks/results/fuzz_inputs.json.
"""

import argparse
import gzip
import io
import resource
import signal
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.runs import write_result  # noqa: E402
from resnext.errors import ResnextError  # noqa: E402
from resnext.images.sources.opening import open_images  # noqa: E402
from resnext.preprocessing import read_preprocessing  # noqa: E402
from resnext.published import read_table  # noqa: E402

LIMIT = 5  # seconds for one input
MEMORY = 4 << 30  # bytes of addresses
LONGEST = 2000  # letters of a message
BLOCK = 512
# Places in a header of a tar: name, size, kind, "ustar".
FIELDS = ((0, 100), (124, 136), (156, 157), (257, 263))
NUMBERS = (b"0", b"-1", b"9" * 40, b"1e400", b"nan", b"\x80" + b"\xff" * 11, b"[", b"{", b"\0")
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
        images.reader.read(place)
    images.digest()


def read_cifar(path: Path) -> None:
    """Open an archive of CIFAR."""
    open_images(str(path), cache=path.parent / "cache").digest()


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
    "parquet": ("x.parquet", parquets(), changed, read_tar),
    "toml": ("x.toml", tomls(), changed, read_toml),
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
        if len(str(error)) > LONGEST:
            raise RuntimeError(f"a message of {len(str(error))} letters") from error
        return "refused"
    finally:
        signal.alarm(0)
    return "read"


def main() -> None:
    """Run for some seconds, or until an input ends otherwise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _too_long)
    folder = Path(tempfile.mkdtemp())  # a TMPDIR in memory makes it faster
    counts: Counter[str] = Counter()
    begin, number = time.monotonic(), 0
    while time.monotonic() < begin + options.seconds:
        for kind in TARGETS:
            random = Random(f"{kind} {options.seed} {number}")  # noqa: S311 - not for secrets
            try:
                counts[f"{kind}: {try_one(kind, folder, random)}"] += 1
            except BaseException:
                print(f"{kind}, seed {options.seed}, number {number}: {folder}", file=sys.stderr)
                raise
        number += 1
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
