"""resnext-convert as a user runs it: real processes, their output, exit codes and files."""

import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

import convert
from convert.cli import main
from convert.errors import SourceError
from convert.location import find_location
from resnext.layout import layout
from resnext.model import ResNeXt
from resnext.preprocessing import CIFAR10, CIFAR100
from resnext.published import Row, published
from resnext.spec import Block, Spec
from tests.support import warm
from tests.support.golden import ROOT, Golden
from tests.support.t7_writer import Object, Pairs, Storage, dumps

DIGITS = ROOT / "examples" / "digits" / "resnext_11_8x4d_digits.t7"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command in an empty folder."""

    def command(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        if not options:
            return warm.run("convert.cli", [*map(str, arguments)], cwd=tmp_path)
        return subprocess.run(
            [sys.executable, "-m", "convert.cli", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            **options,  # type: ignore[call-overload]
        )

    return command


@pytest.fixture
def place(tmp_path: Path, golden: Callable[[str], Golden]) -> Callable[[str], Path]:
    """Copy a golden model into the folder."""

    def copy(name: str) -> Path:
        target = tmp_path / f"{name}.t7"
        shutil.copyfile(golden(name).path, target)
        return target

    return copy


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_source_becomes_a_safetensors_file_beside_it(run: Run, place, tmp_path: Path):
    place("cifar_c")
    done = run("cifar_c.t7")
    assert (done.returncode, done.stderr) == (0, "")
    assert files(tmp_path) == {"cifar_c.t7", "cifar_c.safetensors"}
    first, proof, *_ = done.stdout.splitlines()
    assert first == "cifar_c.t7: resnext_11_4x4d, 41,458 parameters"
    assert proof.startswith("  proven: float64 logits within ")
    with safe_open(tmp_path / "cifar_c.safetensors", framework="numpy") as file:
        assert file.get_tensor("conv1.weight").shape == (8, 3, 3, 3)
        assert file.metadata()["source_file"] == "cifar_c.t7"


def test_no_verify_never_imports_torch(place, tmp_path: Path):
    place("cifar_c")
    code = (
        "import sys; from convert.cli import main\n"
        "try: main(['cifar_c.t7', '--no-verify'])\n"
        "finally: assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert done.returncode == 0
    with safe_open(tmp_path / "cifar_c.safetensors", framework="numpy") as file:
        assert "proof" not in file.metadata()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("foreign_layer", "model.modules[4] (nn.SpatialDropout @ byte"),
        (
            "odd_stride",
            "model.modules[4].modules[1].modules[1].modules[1].modules[4] (cudnn.SpatialCon",
        ),
        ("nan_weight", "model.modules[1] (cudnn.SpatialConvolution @ byte 256): weight holds NaN"),
        ("latest", "no network in this file: it only names other files; convert model_12.t7"),
        ("optimState_12", "no network in this file: it holds a table of dampening, dfdx"),
    ],
)
def test_refused_source_says_where_in_one_line_and_writes_nothing(
    run: Run, place, tmp_path: Path, name: str, message: str
):
    place(name)
    done = run(f"{name}.t7")
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"resnext-convert: {name}.t7: {message}")
    assert files(tmp_path) == {f"{name}.t7"}


def test_existing_output_is_kept_unless_forced(run: Run, place, tmp_path: Path):
    place("cifar_c")
    (tmp_path / "cifar_c.safetensors").write_text("mine")
    done = run("cifar_c.t7")
    assert done.returncode == 2
    assert done.stderr == (
        "resnext-convert: cifar_c.safetensors exists; "
        "--force overwrites it, --output names another\n"
    )
    assert (tmp_path / "cifar_c.safetensors").read_text() == "mine"
    assert run("cifar_c.t7", "--force").returncode == 0
    with safe_open(tmp_path / "cifar_c.safetensors", framework="numpy") as file:
        assert float(file.metadata()["proof"]) < 1e-12


def test_output_that_is_the_source_is_refused_even_if_forced(run: Run, place, tmp_path: Path):
    size = place("cifar_c").stat().st_size
    done = run("cifar_c.t7", "-o", "cifar_c.t7", "--force")
    assert (done.returncode, done.stderr) == (
        2,
        "resnext-convert: cifar_c.t7 is the source itself; --output names another file\n",
    )
    assert (tmp_path / "cifar_c.t7").stat().st_size == size


def test_two_sources_of_one_output_are_refused(run: Run, place, tmp_path: Path):
    shutil.copyfile(place("cifar_c"), tmp_path / "cifar_c.bin")
    done = run("cifar_c.t7", "cifar_c.bin", "--force")
    assert done.returncode == 2
    assert done.stderr.startswith("resnext-convert: two sources would become cifar_c in the new")
    assert files(tmp_path) == {"cifar_c.t7", "cifar_c.bin"}


def test_one_bad_source_does_not_stop_the_others(run: Run, place, tmp_path: Path):
    for name in ("cifar_c", "odd_stride", "cifar_b"):
        place(name)
    (tmp_path / "out").mkdir()
    done = run("cifar_c.t7", "odd_stride.t7", "cifar_b.t7", "-o", "out", "--no-verify")
    assert done.returncode == 2
    assert files(tmp_path / "out") == {"cifar_c.safetensors", "cifar_b.safetensors"}
    assert done.stdout.splitlines()[-1] == "2 of 3 converted"
    assert len(done.stderr.splitlines()) == 1


def test_json_is_all_that_stdout_holds(run: Run, place):
    place("cifar_c")
    done = run("cifar_c.t7", "missing.t7", "--json")
    good, bad = json.loads(done.stdout)["results"]
    assert (good["network"], good["parameters"]) == ("resnext_11_4x4d", 41_458)
    assert good["proof"]["difference"] < 1e-12
    assert bad["source"] == "missing.t7"
    assert "no such file" in bad["error"]
    assert done.returncode == 2


def test_info_describes_and_converts_nothing(run: Run, place, tmp_path: Path):
    place("in_a_table")
    done = run("in_a_table.t7", "--info")
    lines = done.stdout.splitlines()
    assert lines[0] == "in_a_table.t7: 385,225 bytes, Torch7, binary, longs of 8 bytes"
    assert "parameters: 41,458" in lines
    place_of_it = lines.index("beside the network:")
    assert lines[place_of_it + 1] == "  epoch: 12"
    assert "place of the network: file.model" in lines
    assert not [line for line in lines if line.lstrip() == "nn.Sequential"]
    assert lines[-1].startswith("  crop 32, mean 125.3 ")
    assert files(tmp_path) == {"in_a_table.t7"}


def test_info_shows_the_modules_before_its_summary_when_asked(run: Run, place, tmp_path: Path):
    place("cifar_c")
    lines = run("cifar_c.t7", "--info", "--modules").stdout.splitlines()
    assert lines[1:3] == ["nn.Sequential", "  cudnn.SpatialConvolution 8x3x3x3"]
    assert lines.index("parameters: 41,458") > lines.index("  nn.View")
    (found,) = json.loads(run("cifar_c.t7", "--info", "--modules", "--json").stdout)["results"]
    first = {"class": "cudnn.SpatialConvolution", "weight": [8, 3, 3, 3]}
    assert (found["modules"]["class"], found["modules"]["modules"][0]) == ("nn.Sequential", first)
    convert.load(tmp_path / "cifar_c.t7").save(tmp_path / "x.safetensors")
    lines = run("x.safetensors", "--info", "--modules").stdout.splitlines()
    assert "conv1.weight (8, 3, 3, 3)" in lines
    assert lines.index("parameters: 41,458") > lines.index("conv1.weight (8, 3, 3, 3)")
    (found,) = json.loads(run("x.safetensors", "--info", "--modules", "--json").stdout)["results"]
    row = {"name": "conv1.weight", "type": "float32", "shape": [8, 3, 3, 3], "bytes": 864}
    assert row in found["tensors"]


def test_info_says_what_a_trained_checkpoint_is(run: Run, tmp_path: Path) -> None:
    checkpoint = convert.load(DIGITS)
    facts = {
        "epoch": 3,
        "weights": "average",
        "recipe": {"name": "finetune", "schedule": {"curve": "cosine"}, "stem": "imagenet"},
        "validation": {"images": 20, "top1_correct": 19},
    }
    names = tuple(f"class {number}" for number in range(10))
    replace(checkpoint, classes=names, training=facts).save(tmp_path / "best.safetensors")
    lines = run("best.safetensors", "--info").stdout.splitlines()
    assert f"classes: {', '.join(names)}" in lines
    assert "stem cifar" in "\n".join(lines)  # the spec's; the recipe's is for random weights
    assert "stem imagenet" not in "\n".join(lines)
    place = lines.index("trained: epoch 3, weights averaged over the last steps")
    assert lines[place + 1 : place + 3] == [
        '  recipe: name finetune, schedule {"curve": "cosine"}',
        "  validation: images 20, top1_correct 19",
    ]
    assert not [line for line in lines if line.startswith("conversion:")]
    (found,) = json.loads(run("best.safetensors", "--info", "--json").stdout)["results"]
    assert (found["classes"], found["training"]) == (list(names), facts)


def test_name_of_a_file_colours_no_terminal(run: Run, place, tmp_path: Path):
    place("in_a_table").rename(tmp_path / "\x1b[31m.t7")
    done = run("\x1b[31m.t7", "--info")
    assert done.stdout.startswith("\\x1b[31m.t7: 385,225 bytes, ")
    assert "\x1b" not in done.stdout


def test_info_on_latest_names_the_file_to_convert(run: Run, place):
    place("latest")
    done = run("latest.t7", "--info")
    assert "convert model_12.t7 instead" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument 'SOURCE...'; --help lists what there is"),
        (("--bogus", "x"), "No such option '--bogus'"),
        (("missing.t7",), "missing.t7: no such file"),
        (("",), "a file or the name of a published network expected, found an empty word"),
        (("resnext50",), "resnext50: no such file; published networks are resnext_50_32x4d"),
        (("resnext50_32x4d",), "resnext50_32x4d: no such file; did you mean resnext_50_32x4d?"),
        (("x.t7", "--info", "-o", "y"), "--output with --info, which writes nothing; give one"),
        (("x.t7", "--info", "--to", "pth"), "--to with --info, which writes nothing"),
        (("x.t7", "--info", "--force"), "--force with --info, which writes nothing"),
        (("x.t7", "--info", "--preprocessing", "cifar10"), "--preprocessing with --info, which"),
        (("x.t7", "--modules"), "--modules without --info, which prints them; give both"),
        (("resnext_152_32x4d",), "resnext_152_32x4d: no weights of it were published"),
        (("x", "--preprocessing", "none"), "preprocessing none: imagenet, cifar10, cifar100 or"),
        (("a.t7", "b.t7", "-o", "c"), "c: an existing folder expected for several sources"),
        (("a.t7", "-o", "c/"), "c/: an existing folder expected, found none"),
        ((".",), ".: a file expected, found a folder"),
        (("x.t7", "-o", ""), "Invalid value for '-o' / '--output': a path expected, found"),
    ],
    ids=[
        "nothing",
        "option",
        "missing",
        "no name",
        "name",
        "name as timm spells it",
        "output of nothing",
        "format of nothing",
        "force for nothing",
        "preprocessing of nothing",
        "modules of nothing",
        "unpublished",
        "preprocessing",
        "output",
        "output folder",
        "folder",
        "empty",
    ],
)
def test_bad_usage_is_one_line_and_exit_2(run: Run, arguments: tuple[str, ...], message: str):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"resnext-convert: {message}")


@pytest.mark.parametrize("name", ["x.pth", "x.pt", "pytorch_model.bin"])
def test_file_of_pytorch_without_a_network_is_refused_with_what_it_holds(
    run: Run, tmp_path: Path, name: str
):
    import torch

    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / name)
    for arguments in ((name,), (name, "--info")):
        done = run(*arguments)
        if "--info" in arguments:
            assert (done.returncode, done.stderr) == (0, "")
            assert "not convertible: no network in this file: it holds a dict of" in done.stdout
            continue
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"resnext-convert: {name}: no network in this file: it holds a dict of conv1.weight\n"
        )
    assert files(tmp_path) == {name}


def test_pipe_is_called_one(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="a file expected, found a pipe; save what it gives"):
        find_location(str(tmp_path / "pipe"), cache=None)


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_stream_needs_a_name_for_its_output(run: Run, place, tmp_path: Path, name: str):
    with place("cifar_c").open("rb") as stream:
        done = run(name, "--no-verify", stdin=stream)
        assert (done.returncode, done.stderr) == (
            2,
            f"resnext-convert: {name} has no folder to write in; --output names the file\n",
        )
        assert run(name, "--no-verify", "-o", "x.safetensors", stdin=stream).returncode == 0
    assert convert.load(tmp_path / "x.safetensors").spec.name == "resnext_11_4x4d"


def test_info_takes_sources_of_one_name(run: Run, place, tmp_path: Path):
    place("cifar_c")
    run("cifar_c.t7", "--no-verify")
    (tmp_path / "other").mkdir()
    shutil.copyfile(tmp_path / "cifar_c.t7", tmp_path / "other" / "cifar_c.t7")
    done = run("--info", "cifar_c.t7", "cifar_c.t7", "cifar_c.safetensors", "other/cifar_c.t7")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "4 of 4 described"


def test_timm_folder_is_written_with_the_line_that_loads_it(run: Run, place, tmp_path: Path):
    shutil.copyfile(place("imagenet_basic18"), tmp_path / "x.t7")
    source = convert.load(tmp_path / "x.t7")
    wide = replace(source.spec, stem_width=64)  # the only one that timm has
    tensors = {
        name: np.zeros(shape, np.int64 if name.endswith("tracked") else np.float32)
        for name, shape in layout(wide).tensors().items()
    }
    replace(source, spec=wide, tensors=tensors).save(tmp_path / "x.safetensors")
    done = run("x.safetensors", "--to", "timm")
    assert (done.returncode, done.stderr) == (0, "")
    *_, transform, network = done.stdout.splitlines()
    assert network == '  timm.create_model("local-dir:x.timm", pretrained=True)'
    assert transform == (
        '  resnext.Transform(resnext.Checkpoint.load("x.timm/model.safetensors").preprocessing)'
    )
    again = ("x.safetensors", "--to", "timm", "-o", "x.timm")
    done = run(*again)
    assert (done.returncode, done.stdout) == (2, "")
    assert "x.timm exists; --force overwrites it" in done.stderr
    assert run(*again, "--force").returncode == 0
    assert files(tmp_path / "x.timm") == {"README.md", "config.json", "model.safetensors"}


def numbers_of(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def test_one_of_several_networks_is_converted_by_its_place(run: Run, tmp_path: Path):
    """Two files of torch.save as they are, in a table: {a={net=...}, b=...}."""
    name, network = (lambda key: numbers_of(2, 1) + key), DIGITS.read_bytes()
    inner = numbers_of(3, 1_000_002, 1) + name(b"n") + network
    other = numbers_of(4, 1_000_003, 3) + b"V 1" + numbers_of(13) + b"nn.Sequential"
    other += numbers_of(3, 1_000_004, 0)
    (tmp_path / "x.t7").write_bytes(
        numbers_of(3, 1_000_001, 2) + name(b"a") + inner + name(b"b") + other
    )
    done = run("x.t7")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("found 2: file.a.n, file.b; resnext-convert --at PLACE takes one\n")
    done = run("x.t7", "--at", "a.n")
    assert (done.returncode, done.stderr) == (0, "")
    first, second, *_ = done.stdout.splitlines()
    assert first == "x.t7: resnext_11_8x4d, 972,106 parameters"
    assert second == "  found at file.a.n"
    assert convert.load(tmp_path / "x.t7", at="file.a.n").spec.classes == 10


def test_first_of_several_values_is_taken_with_a_word(run: Run, tmp_path: Path):
    (tmp_path / "x.t7").write_bytes(DIGITS.read_bytes() + struct.pack("<id", 1, 2.0))
    done = run("x.t7", "--info")
    assert (done.returncode, done.stderr) == (0, "")
    assert "note: the first of 2 values of the file is read, as Torch7's" in done.stdout
    done = run("x.t7", "--no-verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith("  note: the first of 2 values of the file is")
    done = run("x.t7", "--no-verify", "--force", "--json")
    (found,) = json.loads(done.stdout)["results"]
    assert found["note"].startswith("the first of 2 values of the file is read")
    assert found["place"] is None


@pytest.mark.parametrize("more", [("--info",), ("--to", "pth")], ids=["info", "export"])
def test_place_in_a_converted_file_is_refused(run: Run, place, tmp_path: Path, more):
    convert.load(place("cifar_c")).save(tmp_path / "x.safetensors")
    done = run("x.safetensors", "--at", "model", *more)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "resnext-convert: x.safetensors: a .t7 with a network at model expected, found a converted "
        "file, which has one network only; leave --at out\n"
    )
    with pytest.raises(SourceError, match=r"x\.safetensors: a .t7 with a network at model"):
        convert.load(tmp_path / "x.safetensors", at="model")


def test_values_before_the_network_are_named(run: Run, tmp_path: Path):
    (tmp_path / "x.t7").write_bytes(struct.pack("<id", 1, 2.0) + DIGITS.read_bytes())
    done = run("x.t7")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "resnext-convert: x.t7: no network in this file: it holds 2; the first of 2 values of the "
        "file is read, as Torch7's torch.load does; save another one to a file of its own\n"
    )


def test_shared_tables_as_keys_are_described_in_a_moment(run: Run, tmp_path: Path):
    """Written out, the key would have 2**40 tables."""
    key = numbers_of(3, 2, 0)
    for index in range(3, 43):
        pairs = struct.pack("<id", 1, 1) + key + struct.pack("<id2i", 1, 2, 3, index - 1)
        key = numbers_of(3, index, 2) + pairs
    (tmp_path / "x.t7").write_bytes(numbers_of(3, 1, 1) + key + struct.pack("<id", 1, 7))
    start = time.monotonic()
    done = run("x.t7", "--info")
    assert (done.returncode, done.stderr) == (0, "")
    assert "it holds a table of a table" in done.stdout
    assert len(done.stdout) < 5_000
    assert time.monotonic() - start < 30


def test_pipe_and_device_are_refused_by_the_library_too(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="a file expected, found a pipe"):
        convert.load(tmp_path / "pipe")
    with pytest.raises(SourceError, match="/dev/zero: a file expected, found a device"):
        convert.load("/dev/zero")


def test_link_in_a_circle_is_called_one(tmp_path: Path):
    (tmp_path / "loop.t7").symlink_to("loop.t7")
    with pytest.raises(SourceError, match=r"loop\.t7: a file expected, found a link that leads to"):
        find_location(str(tmp_path / "loop.t7"), cache=None)


def test_preprocessing_file_is_stored_as_given(run: Run, place, tmp_path: Path):
    place("cifar_c")
    (tmp_path / "mine.toml").write_text(
        "scale = 36\ncrop = 32\nmean = [0.5, 0.5, 0.5]\nstd = [0.25, 0.25, 0.25]\n"
    )
    done = run("cifar_c.t7", "--preprocessing", "mine.toml")
    assert "scale 36, crop 32, mean 0.5 0.5 0.5, std 0.25 0.25 0.25 (of pixels 0..1)" in done.stdout
    with safe_open(tmp_path / "cifar_c.safetensors", framework="numpy") as file:
        stored = json.loads(file.metadata()["preprocessing"])
    assert stored == {
        "scale": 36,
        "crop": 32,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "white": 1,
    }


def test_preprocessing_is_stored_in_a_copy_of_a_converted_file(
    run: Run, place, tmp_path: Path
) -> None:
    place("cifar_c")
    run("cifar_c.t7", "--no-verify")
    arguments = ("cifar_c.safetensors", "--preprocessing", "cifar100")
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("resnext-convert: cifar_c.safetensors exists; --force overwrites")
    done = run(*arguments, "-o", "y.safetensors")
    assert (done.returncode, done.stderr) == (0, "")
    assert "  preprocessing, given at the conversion:" in done.stdout.splitlines()
    old, new = (convert.load(tmp_path / f"{name}.safetensors") for name in ("cifar_c", "y"))
    assert (old.preprocessing, new.preprocessing) == (CIFAR10, CIFAR100)
    assert (new.provenance, new.digest()) == (old.provenance, old.digest())
    assert run(*arguments, "--force").returncode == 0
    assert convert.load(tmp_path / "cifar_c.safetensors").preprocessing == CIFAR100


def test_converted_file_needs_something_to_do(run: Run, place) -> None:
    place("cifar_c")
    run("cifar_c.t7", "--no-verify")
    done = run("cifar_c.safetensors")
    assert done.returncode == 2
    assert done.stderr == (
        "resnext-convert: cifar_c.safetensors: converted already; --info describes it, --to writes "
        "other formats, --preprocessing stores another preprocessing\n"
    )


def test_converted_file_that_is_damaged_is_said_to_be(run: Run, place, tmp_path: Path) -> None:
    place("cifar_c")
    run("cifar_c.t7", "--no-verify")
    path = tmp_path / "cifar_c.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    save_file({"a": np.zeros(2)}, tmp_path / "foreign.safetensors")
    done = run("cifar_c.safetensors", "foreign.safetensors")
    cut, foreign = done.stderr.splitlines()
    assert cut.startswith("resnext-convert: cifar_c.safetensors: not a whole safetensors file (")
    assert foreign.startswith("resnext-convert: foreign.safetensors: no spec in its header, so")


def test_info_says_when_a_file_was_proven(run: Run, tmp_path: Path) -> None:
    checkpoint = convert.load(DIGITS)
    proven = replace(checkpoint.provenance, proof=3.2e-16)
    replace(checkpoint, provenance=proven, origin=None).save(tmp_path / "x.safetensors")
    lines = run("x.safetensors", "--info").stdout.splitlines()
    assert "conversion: proven to 3.2e-16 when it was converted" in lines
    assert "preprocessing:" in lines


def test_full_disk_leaves_no_file(run: Run, place, tmp_path: Path):
    place("cifar_c")
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000))
    done = run("cifar_c.t7", "--no-verify", preexec_fn=limit)
    assert done.returncode == 2
    assert "File too large" in done.stderr
    assert files(tmp_path) == {"cifar_c.t7"}


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM")],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_interrupt_leaves_no_file_and_one_line(place, tmp_path: Path, number: int, words: str):
    place("imagenet_c50")
    process = subprocess.Popen(
        [sys.executable, "-m", "convert.cli", "imagenet_c50.t7"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    mapped = Path(f"/proc/{process.pid}/maps")
    deadline = time.monotonic() + 60
    while "imagenet_c50.t7" not in mapped.read_text():  # from here on it imports torch, and proves
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (2, f"resnext-convert: {words}\n")
    assert files(tmp_path) == {"imagenet_c50.t7"}


def test_info_of_any_file_says_what_is_inside_in_a_screenful(run: Run, tmp_path: Path):
    value = {
        "log": [float(n) for n in range(1_000)],
        "images": 1_281_167,
        "state": Object("my.State", {"sizes": Storage("Long", [1, 2, 3])}),
        "keys": Pairs([("1", "text"), (1, "number")]),
    }
    (tmp_path / "x.t7").write_bytes(dumps(value))
    done = run("x.t7", "--info")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "  log: table of 1000" in lines
    assert "    and 994 more: 994 number" in lines
    assert "  images: 1281167" in lines
    assert "    sizes: torch.LongStorage of 3" in lines
    assert {'    ["1"]: "text"', '    [1]: "number"'} <= {*lines}
    assert len(lines) < 40


def test_file_cut_short_while_it_is_read_ends_with_a_word(place, tmp_path: Path):
    """The mapping stays, its pages go: without a handler the process dies without a word."""
    source = place("cifar_c")
    code = (
        "import os, sys; import convert.torch7.source as source; before = source.find_network\n"
        "def cut(root, **more):\n"
        "    os.truncate('cifar_c.t7', 4096)\n"
        "    return before(root, **more)\n"
        "source.find_network = cut\n"
        "from convert.cli import main; main(['cifar_c.t7', '--no-verify'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("resnext-convert: a file was cut short")
    assert source.stat().st_size == 4096
    assert files(tmp_path) == {"cifar_c.t7"}


class Quiet(SimpleHTTPRequestHandler):
    """Serve a folder without a word."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serve the folder on loopback."""
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_published_name_is_downloaded_once_and_converted(
    place, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, capsys
):
    place("imagenet_basic18")
    eighth = {"base_width": 8, "planes": 8, "stem_width": 8}
    spec = Spec(blocks=(2, 2, 2, 2), block=Block.BASIC, classes=20, **eighth)
    url = f"{address}/imagenet_basic18.t7"
    row = Row(
        name="resnet_18",
        preprocessing=published()[0].preprocessing,
        spec=spec,
        file="resnet-18.t7",
        url=url,
        licence="CC BY-NC 4.0",
    )
    for module in ("convert.location", "resnext.published"):
        monkeypatch.setattr(f"{module}.published", lambda: (row,))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    arguments = ["resnet_18", "--no-verify", "--force", "--cache", str(tmp_path / "cache")]
    for downloads in (2, 0):  # lines: the start and the end of one; then none
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        out, err = capsys.readouterr()
        assert stop.value.code == 0
        assert len(err.splitlines()) == downloads
        assert out.count("licence of the weights: CC BY-NC 4.0") == 1
    assert files(tmp_path / "cache") == {"resnet-18.t7"}
    with safe_open(tmp_path / "work" / "resnet_18.safetensors", framework="numpy") as file:
        assert file.metadata()["published_name"] == "resnet_18"


def test_info_tells_how_a_file_was_proven(run: Run, place, tmp_path: Path) -> None:
    place("conv_bias")
    run("conv_bias.t7")
    lines = run("conv_bias.safetensors", "--info").stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("conversion: proven to "))
    with safe_open(tmp_path / "conv_bias.safetensors", framework="numpy") as file:
        facts = json.loads(file.metadata()["proof_facts"])
        names = list(file.keys())
    norms = sum(name.endswith("running_mean") for name in names)
    # The mean behind each convolution, and the counter of each batch norm.
    assert facts == {"tensors": len(names), "computed": 2 * norms, "pictures": 1, "limit": 1e-05}
    assert lines[at + 1] == (
        f"  float64 logits of 1 input, limit 1e-05; {len(names)} tensors, "
        f"{len(names) - 2 * norms} as in the original bit for bit, {2 * norms} by a rule"
    )
    (result,) = json.loads(run("conv_bias.safetensors", "--info", "--json").stdout)["results"]
    assert result["proof_facts"] == facts
    run("conv_bias.t7", "--to", "pth", "-o", "x.pth")
    assert run("x.pth", "--info").stdout.splitlines()[-2:] == lines[at : at + 2]


def test_info_of_an_older_file_says_what_is_not_recorded(run: Run, tmp_path: Path) -> None:
    checkpoint = convert.load(DIGITS)
    proven = replace(checkpoint.provenance, proof=3.2e-16)
    replace(checkpoint, provenance=proven).save(tmp_path / "x.safetensors")
    lines = run("x.safetensors", "--info").stdout.splitlines()
    at = lines.index("conversion: proven to 3.2e-16 when it was converted")
    assert lines[at + 1].startswith("  limit, inputs and tensors: not recorded")


@pytest.mark.parametrize("format_", ["safetensors", "pth", "timm"])
def test_against_repeats_the_proof_of_every_format(run: Run, tmp_path: Path, format_: str) -> None:
    (tmp_path / "x.toml").write_text("crop = 32\nmean = [0, 0, 0]\nstd = [1, 1, 1]\n")
    original: Path = DIGITS
    if format_ == "timm":  # which has networks of four stages only, with 64 channels
        state = ResNeXt(Spec(blocks=(1, 1, 1, 1), planes=8, base_width=8, classes=5)).state_dict()
        original = tmp_path / "four.pth"
        torch.save(state, original)
    target = f"out.{format_}"
    made = run(original, "--to", format_, "-o", target, "--preprocessing", "x.toml")
    assert made.returncode == 0, made.stderr
    before = files(tmp_path)
    done = run("--verify", target, "--against", original)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(target)
    assert f" against {original}: resnext" in lines[0] or "resnet_14" in lines[0]
    assert lines[1].endswith(f" {sha256(original.read_bytes()).hexdigest()}, as stated")
    assert lines[-1] == "verified"
    assert files(tmp_path) == before


def test_against_ends_with_1_where_a_file_is_not_what_the_original_gives(
    run: Run, tmp_path: Path
) -> None:
    checkpoint = convert.load(DIGITS)
    checkpoint.save(tmp_path / "good.safetensors")
    bias = checkpoint.tensors["fc.bias"] * np.float32(2)
    changed = replace(checkpoint, tensors={**checkpoint.tensors, "fc.bias": bias})
    changed.save(tmp_path / "bad.safetensors")
    done = run("good.safetensors", "bad.safetensors", "--against", DIGITS)
    assert (done.returncode, done.stderr) == (1, "")
    assert "  different: 1 tensor" in done.stdout.splitlines()
    assert "not verified: the file is not what the original gives" in done.stdout
    assert done.stdout.splitlines()[-1] == "2 of 2 compared"
    done = run("good.safetensors", "bad.safetensors", "--against", DIGITS, "--json")
    good, bad = json.loads(done.stdout)["results"]
    assert (done.returncode, good["verified"], bad["verified"]) == (1, True, False)
    assert [(each["name"], each["values"]) for each in bad["differences"]] == [("fc.bias", 10)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["good.safetensors", "--against", "none.t7"], "none.t7: "),
        (["none.safetensors", "--against", DIGITS], "none.safetensors: "),
        (["good.safetensors", "--against", "good.safetensors"], "good.safetensors: --against: the"),
        (["resnext_50_32x4d", "--against", DIGITS], "resnext_50_32x4d: a converted file expected"),
        (["good.safetensors", "--against", "cut.t7"], "cut.t7: "),
        (["cut.safetensors", "--against", DIGITS], "cut.safetensors: not a whole safetensors file"),
        (["good.safetensors", "--against", DIGITS, "--no-verify"], "--no-verify with --against"),
        (["good.safetensors", "--against", DIGITS, "--info"], "--info with --against"),
        (["good.safetensors", "--against", DIGITS, "--to", "pth"], "--to with --against, which wr"),
        (["good.safetensors", "--against", DIGITS, "-o", "y"], "--output with --against, which wr"),
    ],
    ids=["original", "file", "swapped", "name", "cut", "damaged", "no-verify", "info", "to", "out"],
)
def test_against_refuses_what_cannot_be_compared(
    run: Run, tmp_path: Path, arguments: list[object], message: str
) -> None:
    convert.load(DIGITS).save(tmp_path / "good.safetensors")
    (tmp_path / "cut.t7").write_bytes(DIGITS.read_bytes()[:100_000])
    whole = (tmp_path / "good.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:100_000])
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr.splitlines()[-1]
    assert len(done.stderr.splitlines()) == 1
