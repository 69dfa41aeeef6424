"""What a hostile .t7 file can make the reader hold: at most its size and 64 MB."""

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs /proc to see the peak memory"
)

# The peak of this process alone: the kernel's own count starts anew at exec.
READ = """
import sys
from pathlib import Path
from convert.torch7 import file as t7

def kilobytes(name):
    [line] = [l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith(name)]
    return int(line.split()[1])

before = kilobytes("VmRSS")
try:
    root = t7.load(Path(sys.argv[1])).root
except t7.T7Error as error:
    print(type(error).__name__)
else:
    print("read")
print(1024 * (kilobytes("VmHWM") - before))
"""


def integers(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def number(value: float) -> bytes:
    return integers(1) + struct.pack("<d", value)


def string(value: bytes) -> bytes:
    return integers(2, len(value)) + value


def torch_object(index: int, name: bytes) -> bytes:
    return integers(4, index, 3) + b"V 1" + integers(len(name)) + name


def tensor(index: int, axes: int, storage: bytes) -> bytes:
    ones = axes * struct.pack("<q", 1)  # sizes, and steps
    record = torch_object(index, b"torch.FloatTensor") + integers(axes)
    return record + ones + ones + struct.pack("<q", 1) + storage


def storage(index: int) -> bytes:
    return torch_object(index, b"torch.FloatStorage") + struct.pack("<qf", 1, 1)


def shared(n: int) -> bytes:
    """Return the storage of all tensors: whole in the first, a reference to it in the others."""
    return integers(4, 2) if n else storage(2)


# Of each kind: an entry of the table that is the file, and how reading 115,000 of them ends.
ENTRIES: dict[str, tuple[Callable[[int], bytes], str]] = {
    "empty tables": (lambda n: number(n) + integers(3, n + 2, 0), "read"),
    "small tables": (lambda n: number(n) + integers(3, n + 2, 1, 5, 1, 5, 1), "read"),
    "full tables": (lambda n: number(n) + integers(3, n + 2, 2) + 4 * number(n), "LimitError"),
    "numbers": (lambda n: number(n) + number(n + 0.5), "read"),
    "strings": (
        lambda n: string(struct.pack("<i", n)) + string(struct.pack("<i", ~n)),
        "read",
    ),
    "tensors": (lambda n: number(n) + tensor(n + 2, 0, integers(0)), "read"),
    "tensors of one storage": (lambda n: number(n) + tensor(n + 3, 1, shared(n)), "read"),
    "tensors of four axes": (lambda n: number(n) + tensor(n + 3, 4, shared(n)), "read"),
    "tensors with storages": (
        lambda n: number(n) + tensor(2 * n + 2, 1, storage(2 * n + 3)),
        "LimitError",
    ),
    "nested references": (lambda n: number(n) + integers(3, 1), "read"),
}
# Those of ENTRIES that the default run tries; the others are slow.
QUICK = ("full tables", "tensors of one storage", "tensors")


def peak(path: Path) -> tuple[str, int]:
    """Return how reading ended, and the bytes that it took."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True
    )
    outcome, taken = done.stdout.split()
    return outcome, int(taken)


@pytest.mark.parametrize(
    ("kind", "count", "element", "outcome"),
    [
        ("Double", 2_000_000, b"1 ", "read"),
        ("Double", 4_000_000, b"1 ", "LimitError"),
        ("Byte", 100_000_000, b"1", "read"),
    ],
    ids=["numbers", "many numbers", "bytes"],
)
def test_storage_of_a_text_takes_at_most_the_file_and_64_mb(
    tmp_path: Path, kind: str, count: int, element: bytes, outcome: str
):
    path = tmp_path / "hostile.t7"
    name = f"torch.{kind}Storage".encode()
    with path.open("wb") as file:
        file.write(b"4\n1\n3\nV 1\n%d\n%s\n%d\n" % (len(name), name, count))
        file.write((element * count).rstrip() + b"\n")
    found, taken = peak(path)
    assert found == outcome
    assert taken < path.stat().st_size + 64e6


@pytest.mark.parametrize("count", [115_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ENTRIES],
)
def test_values_take_at_most_the_file_and_64_mb(tmp_path: Path, name: str, count: int):
    path = tmp_path / "hostile.t7"
    entry, outcome = ENTRIES[name]
    with path.open("wb") as file:
        file.write(integers(3, 1, count))
        for start in range(0, count, 10_000):
            stop = min(start + 10_000, count)
            file.write(b"".join(entry(n) for n in range(start, stop)))
    found, taken = peak(path)
    assert found == (outcome if count == 115_000 else "LimitError")
    assert taken < path.stat().st_size + 64e6


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTRIES)
def test_values_behind_weights_take_at_most_the_file_and_64_mb(tmp_path: Path, name: str):
    path = tmp_path / "hostile.t7"
    count, size = 1_000_000, 1 << 26
    with path.open("wb") as file:
        file.write(integers(3, 1, count + 1) + number(-1))
        file.write(torch_object(1 << 30, b"torch.ByteStorage") + struct.pack("<q", size))
        file.seek(size, 1)
        for start in range(0, count, 10_000):
            file.write(b"".join(ENTRIES[name][0](n) for n in range(start, start + 10_000)))
    found, taken = peak(path)
    assert found == "LimitError"
    assert taken < path.stat().st_size + 64e6
