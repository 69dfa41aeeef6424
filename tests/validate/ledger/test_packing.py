import gzip
import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from random import Random

import pytest

from validate.ledger.packing import PackingError, packed, unpacked, written_plainly

MOST_BYTES = 2_000_000
needs_zstandard = pytest.mark.skipif(
    importlib.util.find_spec("zstandard") is None, reason="zstandard is not installed"
)
SUFFIXES = [".gz", pytest.param(".zst", marks=needs_zstandard)]
LINES = b'{"ledger": "resnext ledger 1"}\n' * 1000


def imagenet_lines(chance: Random) -> bytes:
    """Return fifty thousand lines as a measurement of ImageNet writes them."""
    close = [[chance.randrange(1000) for _ in range(30)] for _ in range(1000)]
    lines = []
    for number in range(50_000):
        label = chance.randrange(1000)
        top = [label, *chance.sample(close[label], 4)]
        if chance.random() < 0.22:
            top = chance.sample(top, 5)
        lines.append(
            {
                "batch": number // 128,
                "image": f"ILSVRC2012_val_{number + 1:08d}.JPEG",
                "label": label,
                "top5": [top],
                "confidence": [round(chance.random(), 6)],
            }
        )
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_fifty_thousand_lines_take_at_most_two_megabytes(suffix: str) -> None:
    lines = imagenet_lines(Random(0))  # noqa: S311
    assert len(lines) > 6_000_000
    assert len(packed(lines, Path(f"l.jsonl{suffix}"))) <= MOST_BYTES


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_was_packed_is_unpacked_whatever_it_is_called(suffix: str) -> None:
    data = packed(LINES, Path(f"l.jsonl{suffix}"))
    assert len(data) < len(LINES) / 50
    assert unpacked(data, Path("l")) == LINES
    assert packed(LINES, Path(f"other{suffix}")) == data


def test_plain_lines_are_as_they_were() -> None:
    assert packed(LINES, Path("l.jsonl")) == unpacked(LINES, Path("l.gz")) == LINES


def test_gzip_of_another_tool_in_two_members_is_read() -> None:
    assert unpacked(gzip.compress(b"a\n") + gzip.compress(b"b\n"), Path("l")) == b"a\nb\n"


@needs_zstandard
def test_two_frames_of_zstandard_are_read() -> None:
    one, two = (packed(text, Path("l.zst")) for text in (b"a\n", b"b\n"))
    assert unpacked(one + two, Path("l")) == b"a\nb\n"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_file_that_is_cut_short_or_damaged_is_refused(suffix: str) -> None:
    text = b"".join(hashlib.sha256(bytes([n])).hexdigest().encode() for n in range(256))
    data = packed(text, Path(f"l{suffix}"))
    for length in (5, len(data) // 2, len(data) - 1):
        with pytest.raises(PackingError, match=r"l: a whole file of .* expected, found a damaged"):
            unpacked(data[:length], Path("l"))
    middle = len(data) // 2
    changed = data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]
    with pytest.raises(PackingError, match="expected, found a damaged"):
        unpacked(changed, Path("l"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_file_that_would_fill_the_memory_is_refused(suffix: str) -> None:
    data = packed(bytes(100_000_000), Path(f"l{suffix}"))
    with pytest.raises(PackingError, match="found more than 400 bytes in each of its own"):
        unpacked(data, Path("l"))


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(PackingError, match=r"l\.zst: the package zstandard expected.*\[zstd"):
        packed(LINES, Path("l.zst"))
    with pytest.raises(PackingError, match=r"l: the package zstandard expected"):
        unpacked(b"\x28\xb5\x2f\xfd....", Path("l"))


def test_lines_stand_in_a_plain_file_until_the_block_ends(tmp_path: Path) -> None:
    path, plain = tmp_path / "run.jsonl.gz", tmp_path / "run.jsonl"
    with written_plainly(path) as here:
        assert here == plain
        here.write_bytes(LINES)
    assert [each.name for each in tmp_path.iterdir()] == ["run.jsonl.gz"]
    assert gzip.decompress(path.read_bytes()) == LINES


def test_block_that_fails_leaves_the_plain_lines_to_go_on_from(tmp_path: Path) -> None:
    path, plain = tmp_path / "run.jsonl.gz", tmp_path / "run.jsonl"

    def interrupted() -> None:
        with written_plainly(path) as here:
            here.write_bytes(LINES)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert plain.read_bytes() == LINES
    with written_plainly(path) as here, here.open("ab") as file:
        file.write(b"more\n")
    assert gzip.decompress(path.read_bytes()) == LINES + b"more\n"
    assert not plain.exists()


def test_compressed_file_is_there_unchanged_after_a_block_that_fails(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl.gz"
    path.write_bytes(gzip.compress(LINES, mtime=5))
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), written_plainly(path):
        raise KeyboardInterrupt
    with written_plainly(path):
        pass
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["run.jsonl.gz"]
