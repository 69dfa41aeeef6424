import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from resnext.inference.plan import Plan, make_plan
from tests.support.golden import ROOT
from validate.ledger.entries import Entry
from validate.ledger.ledger import Ledger
from validate.ledger.stored import LedgerError, read_ledger

IDENTITY = {"data": {"sha256": "ab"}, "runs": [{"network": "n", "crops": 1}], "settings": {}}
PLAN = make_plan(5, limit=None, seed=0, batch_size=2)


def batch(number: int, plan: Plan = PLAN) -> list[Entry]:
    return [
        Entry(
            batch=number,
            image=f"é{place}",
            label=place,
            top_five=((place, 9),),
            confidence=(0.5,),
            reference=(None,),
        )
        for place in plan.batch(number).tolist()
    ]


def write(path: Path, *numbers: int) -> None:
    with Ledger.open(path, IDENTITY, PLAN) as ledger:
        for number in numbers:
            ledger.append(batch(number))


def refused(path: Path, identity: dict[str, object], plan: Plan = PLAN) -> str:
    before = path.read_bytes()
    with pytest.raises(LedgerError) as caught, Ledger.open(path, identity, plan):
        pass
    assert path.read_bytes() == before
    return str(caught.value)


def test_ledger_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    write(path, 0)
    with Ledger.open(path, IDENTITY, PLAN) as ledger:
        assert (ledger.done, ledger.batches) == (tuple(batch(0)), 1)
        ledger.append([*batch(1), *batch(2)])
    stored = read_ledger(path)
    assert stored is not None
    assert stored.identity == IDENTITY
    assert stored.entries == (*batch(0), *batch(1), *batch(2))


def test_batch_is_on_the_disk_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sizes, fsync = tmp_path / "l", [], os.fsync

    def recorded(file: int) -> None:
        fsync(file)
        sizes.append(os.fstat(file).st_size)

    with Ledger.open(path, IDENTITY, PLAN) as ledger:
        monkeypatch.setattr(os, "fsync", recorded)
        for number in range(PLAN.batches):
            ledger.append(batch(number))
            assert sizes.pop() == path.stat().st_size
            assert sizes == []


def test_file_is_one_json_object_a_line(tmp_path: Path) -> None:
    write(tmp_path / "l", 0)
    head, first, _ = map(json.loads, (tmp_path / "l").read_text().splitlines())
    assert head["ledger"] == "resnext ledger 1"
    assert first == {"batch": 0, "image": "é0", "label": 0, "top5": [[0, 9]], "confidence": [0.5]}


def test_file_cut_at_any_byte_goes_on_from_its_last_whole_batch(tmp_path: Path) -> None:
    path = tmp_path / "l"
    write(path, 0, 1, 2)
    whole = path.read_bytes()
    ends = [position + 1 for position, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        lines = sum(end <= length for end in ends) - 1
        with Ledger.open(path, IDENTITY, PLAN) as ledger:
            assert ledger.batches == max(lines // 2, 0)  # two, two, one
            for number in range(ledger.batches, 3):
                ledger.append(batch(number))
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {"sha256": "cd"}}, 'data sha256 is "ab" there and "cd" here'),
        ({"runs": [{"network": "n", "crops": 10}]}, "runs 1 crops is 1 there and 10 here"),
        ({"runs": []}, 'runs 1 is {"network": "n", "crops": 1} there and null here'),
        (
            {"runs": [{"network": "m", "crops": 1}, {"network": "n", "crops": 1}]},
            'runs 1 network is "n" there and "m" here',
        ),
        ({"settings": {"limit": 3}}, "settings limit is null there and 3 here"),
    ],
    ids=["data", "run", "runs", "more runs", "setting"],
)
def test_ledger_of_another_measurement_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    write(tmp_path / "l", 0)
    assert message in refused(tmp_path / "l", {**IDENTITY, **change})


def test_long_values_are_cut_to_what_differs(tmp_path: Path) -> None:
    folder = "/a/folder/of/checkpoints/with/a/long/name/"
    runs = [{"network": f"{folder}{name}.safetensors", "crops": 1} for name in ("one", "two")]
    with Ledger.open(tmp_path / "l", {**IDENTITY, "runs": runs[:1]}, PLAN):
        pass
    message = refused(tmp_path / "l", {**IDENTITY, "runs": runs[1:]})
    assert 'network is ...long/name/one.safetensors" there and ...long/name/two.saf' in message


@pytest.mark.parametrize(
    "content",
    [b"x", b'{"a": 1}\n', b"[1]\n", b"\0\0\0", b'{"ledger": "resnext ledger 2"}\n', b"\n"],
)
def test_file_that_is_no_ledger_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "l"
    path.write_bytes(content)
    assert "a ledger of resnext-validate expected" in refused(path, IDENTITY)


def test_ledger_of_another_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "l"
    path.write_text('{"ledger": "resnext ledger 2"}\n')
    assert (
        "expected, 'resnext ledger 1', found 'resnext ledger 2', which another version wrote"
        in (refused(path, IDENTITY))
    )


@pytest.mark.parametrize("line", ["[1]", "5", "{", "[" * 100_000])
def test_line_that_is_no_object_is_told(tmp_path: Path, line: str) -> None:
    path = tmp_path / "l"
    write(path, 0)
    path.write_text(path.read_text() + line + "\n")
    assert "line 4: an image's decisions expected, found something that is no JSON object" in (
        refused(path, IDENTITY)
    )


DECIDED = {"batch": 1, "image": "x", "label": 1, "top5": [[1, 9]], "confidence": [0.5]}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"batch": None}, "batch None"),
        ({"batch": -1}, "batch -1"),
        ({"batch": 1.0}, "batch 1.0"),
        ({"batch": True}, "batch True"),
        ({"batch": 10**4000}, "batch a whole number of about 4,000 digits"),
        ({"image": 7}, "image 7"),
        ({"image": ["x"]}, "image ['x']"),
        ({"label": "1"}, "label '1'"),
        ({"label": 2**63}, "label 9223372036854775808"),
        ({"top5": None}, "top5 None"),
        ({"top5": [1, 9]}, "top5 1"),
        ({"top5": [[1, "9"]]}, "top5 '9'"),
        ({"top5": {"1": 9}}, "top5 {'1': 9}"),
        ({"confidence": ["0.5"]}, "confidence '0.5'"),
        ({"confidence": [float("nan")]}, "confidence nan"),
        ({"confidence": 0.5}, "confidence 0.5"),
        ({"confidence": []}, "top5, confidence and fp32 of different numbers of runs"),
        ({"fp32": 1}, "fp32 1"),
        ({"fp32": [[1]]}, "fp32 [1]"),
        ({"fp32": [1, 2]}, "top5, confidence and fp32 of different numbers of runs"),
        ({"form": ["CMYK"]}, "form ['CMYK']"),
        ({"form": 4}, "form 4"),
        ({"failure": 4}, "failure 4"),
        ({"failure": {"deep": {"deep": {"deep": {"deep": {}}}}}}, "failure {'deep': {'deep': {"),
        ({"failure": ["long"] * 5000}, "failure ['long', 'long', "),
        ({"batch_size": 0}, "batch_size 0"),
        ({"batch_size": "2"}, "batch_size '2'"),
    ],
)
def test_value_of_another_type_is_named_when_a_ledger_is_opened(
    tmp_path: Path, change: dict[str, object], found: str
) -> None:
    path = tmp_path / "l"
    write(path, 0)
    path.write_text(path.read_text() + json.dumps({**DECIDED, **change}) + "\n")
    messages = [refused(path, IDENTITY)]
    with pytest.raises(LedgerError) as caught:
        read_ledger(path)
    for text in (*messages, str(caught.value)):
        assert text.startswith(f"{path}: line 4: an image's decisions expected, found {found}")
        assert text.endswith("the file was damaged: remove it to measure anew")
        assert len(text) < 500


def test_line_that_is_nested_too_deeply_is_named(tmp_path: Path) -> None:
    path = tmp_path / "l"
    write(path, 0)
    deep = b'{"batch": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
    path.write_bytes(path.read_bytes() + deep)
    assert "line 4: an image's decisions expected" in refused(path, IDENTITY)


@pytest.mark.parametrize("size", ["null", '"2"', "0", "-1", "1e999", "true", "[2]", "9" * 4000])
def test_batch_size_of_another_type_is_named(tmp_path: Path, size: str) -> None:
    path = tmp_path / "l"
    identity = {**IDENTITY, "settings": {"batch_size": 2}}
    with Ledger.open(path, identity, PLAN):
        pass
    text = path.read_text().replace('{"batch_size": 2}', f'{{"batch_size": {size}}}')
    path.write_text(text)
    if size == "null":
        with Ledger.open(path, identity, PLAN) as ledger:
            assert ledger.batches == 0
        return
    message = refused(path, identity)
    assert "line 1: a batch_size of 1 or more expected, found" in message
    assert len(message) < 400


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b'{"batch": 0}',
        b'{"batch": "x", "top5": [[1]]}',
        b'{"batch": 0, "image": "x", "label": 1e999, "top5": [[1]]}',
        b'{"batch": Infinity, "image": "x", "label": 1, "top5": [[1]]}',
    ],
)
def test_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "l"
    write(path, 0)
    path.write_bytes(path.read_bytes() + line + b"\n")
    assert "line 4: an image's decisions expected" in refused(path, IDENTITY)


def sized(size: int) -> dict[str, object]:
    return {**IDENTITY, "settings": {"batch_size": size}}


def test_ledger_goes_on_with_batches_of_another_size(tmp_path: Path) -> None:
    path = tmp_path / "l"
    plan = make_plan(11, limit=None, seed=0, batch_size=4)
    with Ledger.open(path, sized(4), plan) as ledger:
        ledger.append([*batch(0, plan), *batch(1, plan)[:3]])  # the second was cut off
    small = make_plan(11, limit=None, seed=0, batch_size=3)
    with Ledger.open(path, sized(3), small) as ledger:
        assert (ledger.batches, ledger.sizes) == (1, {4: 4})
        rest = small.after(images=4, batches=1)
        assert [rest.batch(n).tolist() for n in range(1, rest.batches)] == [
            [4, 5, 6],
            [7, 8, 9],
            [10],
        ]
        ledger.append([*batch(1, rest), *batch(2, rest)[:2]])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["settings"] == {"batch_size": 4}
    assert [(row["image"], row["batch"], row.get("batch_size")) for row in lines[1:]] == [
        *((f"é{n}", 0, None) for n in range(4)),
        *((f"é{n}", 1, 3) for n in (4, 5, 6)),
        *((f"é{n}", 2, 3) for n in (7, 8)),
    ]
    with Ledger.open(path, sized(4), plan) as ledger:  # and back
        assert (ledger.batches, ledger.sizes) == (2, {4: 4, 3: 3})
        rest = plan.after(images=7, batches=2)
        assert rest.batches == 3
        assert rest.batch(2).tolist() == [7, 8, 9, 10]
        ledger.append(batch(2, rest))
    assert "batch_size" not in json.loads(path.read_text().splitlines()[-1])
    with Ledger.open(path, sized(5), make_plan(11, limit=None, seed=0, batch_size=5)) as ledger:
        assert (ledger.batches, ledger.sizes) == (3, {4: 8, 3: 3})


def test_batch_of_two_sizes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with Ledger.open(path, sized(2), PLAN) as ledger:
        ledger.append(batch(0))
    lines = path.read_text().splitlines(keepends=True)
    lines[2] = json.dumps({**json.loads(lines[2]), "batch_size": 3}) + "\n"
    path.write_text("".join(lines))
    assert "batch 0 expected from line 2 on" in refused(path, sized(2))


def test_batches_in_another_order_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "l"
    write(path, 1)
    assert "batch 0 expected from line 2 on" in refused(path, IDENTITY)


# A process of its own: a process may open what it has locked itself.
HOLD = """
import sys
from pathlib import Path
from tests.validate.ledger.test_ledger import IDENTITY, PLAN
from validate.ledger.ledger import Ledger
with Ledger.open(Path(sys.argv[1]), IDENTITY, PLAN):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_ledger_that_is_being_written_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l"
    write(path, 0)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        assert "another run is writing this ledger" in refused(path, IDENTITY)
        other.kill()
    write(path, 1)


def test_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(OSError, match="Input/output error") as caught:
        read_ledger(Path("/proc/self/mem"))
    assert caught.value.filename == "/proc/self/mem"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full", "/dev/null"])
def test_device_is_no_ledger(device: str) -> None:
    with pytest.raises(LedgerError) as caught, Ledger.open(Path(device), IDENTITY, PLAN):
        pass
    assert str(caught.value).startswith(f"{device}: an ordinary file expected, found a device")


def test_pipe_is_no_ledger(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "l")
    with (
        pytest.raises(LedgerError, match="found a device or a pipe"),
        Ledger.open(tmp_path / "l", IDENTITY, PLAN),
    ):
        pass


def test_folder_is_no_ledger(tmp_path: Path) -> None:
    with (
        pytest.raises(LedgerError, match="an ordinary file expected, found a folder; name another"),
        Ledger.open(tmp_path, IDENTITY, PLAN),
    ):
        pass


def test_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no" / "l"
    with (
        pytest.raises(LedgerError, match=f"^{path}: the folder {path.parent} is missing"),
        Ledger.open(path, IDENTITY, PLAN),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_full_disk_keeps_the_batches_that_were_written(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("no permission to mount")
    try:
        plan = make_plan(1000, limit=None, seed=0, batch_size=50)
        path = disk / "l"
        with Ledger.open(path, IDENTITY, plan) as ledger:
            ledger.append(batch(0, plan))
            with pytest.raises(OSError, match="No space left") as caught:
                ledger.append([entry for n in range(1, 20) for entry in batch(n, plan)])
        assert caught.value.filename == str(path)
        with Ledger.open(path, IDENTITY, plan) as ledger:
            assert ledger.batches >= 1
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_first_line_of_a_finished_ledger_has_the_checksum_of_the_file(tmp_path: Path) -> None:
    path, zeros = tmp_path / "l", "0" * 64
    with Ledger.open(path, IDENTITY, PLAN, made={"by": "me"}) as ledger:
        ledger.append([*batch(0), *batch(1), *batch(2)])
        assert json.loads(path.read_text().splitlines()[0])["sha256"] == zeros
        ledger.finish()
    text = path.read_text()
    stated = json.loads(text.splitlines()[0])["sha256"]
    assert stated == hashlib.sha256(text.replace(stated, zeros).encode()).hexdigest()
    stored = read_ledger(path)
    assert stored is not None
    assert (stored.identity, stored.made) == (IDENTITY, {"by": "me"})
    assert stored.seal is not None
    assert (stored.seal.finished, stored.seal.broken) == (True, False)


def finished(path: Path) -> bytes:
    with Ledger.open(path, IDENTITY, PLAN) as ledger:
        for number in range(3):
            ledger.append(batch(number))
        ledger.finish()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"label": 3', b'"label": 2'), (b'"crops": 1', b'"crops": 2'), (b"[[1, 9]]", b"[[1, 8]]")],
    ids=["label", "first line", "decision"],
)
def test_finished_ledger_that_was_edited_is_known_by_its_checksum(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    whole = finished(tmp_path / "l")
    assert whole.count(old) == 1
    (tmp_path / "l").write_bytes(whole.replace(old, new))
    stored = read_ledger(tmp_path / "l")
    assert stored is not None
    with pytest.raises(LedgerError, match=r"l: the sha256 \w{12}\.\.\. expected, as its"):
        stored.check_seal()


def test_finished_ledger_that_was_cut_short_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "l"
    whole = finished(path)
    for lines in (1, 2, 3, 4, 5):
        path.write_bytes(b"".join(whole.splitlines(keepends=True)[:lines]))
        with Ledger.open(path, IDENTITY, PLAN) as ledger:
            begun = read_ledger(path)
            assert begun is not None
            assert begun.seal is not None
            assert not begun.seal.finished
            for number in range(ledger.batches, 3):
                ledger.append(batch(number))
            ledger.finish()
        assert path.read_bytes() == whole


def test_finished_ledger_that_was_edited_is_not_finished_again(tmp_path: Path) -> None:
    path = tmp_path / "l"
    path.write_bytes(finished(path).replace(b"[[1, 9]]", b"[[1, 8]]"))
    before = path.read_bytes()
    with Ledger.open(path, IDENTITY, PLAN) as ledger:
        assert ledger.batches == 3
        with pytest.raises(LedgerError, match="was cut short or changed since it was finished"):
            ledger.finish()
    assert path.read_bytes() == before


def test_ledger_of_an_earlier_version_stays_without_a_checksum(tmp_path: Path) -> None:
    path = tmp_path / "l"
    lines = [{"ledger": "resnext ledger 1", **IDENTITY}]
    lines += [entry.to_fields() for entry in batch(0)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with Ledger.open(path, IDENTITY, PLAN) as ledger:
        assert ledger.batches == 1
        ledger.append([*batch(1), *batch(2)])
        ledger.finish()
    stored = read_ledger(path)
    assert stored is not None
    assert (stored.seal, len(stored.entries)) == (None, 5)


@pytest.mark.parametrize("field", [{"sha256": 5}, {"sha256": "ab"}, {"made": 3}])
def test_first_line_with_another_checksum_than_a_checksum_is_refused(
    tmp_path: Path, field: dict[str, object]
) -> None:
    (tmp_path / "l").write_text(json.dumps({"ledger": "resnext ledger 1", **field}) + "\n")
    with pytest.raises(LedgerError, match="line 1: a sha256, and a table of who made it, expected"):
        read_ledger(tmp_path / "l")
