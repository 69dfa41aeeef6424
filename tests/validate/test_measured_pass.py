import multiprocessing
import struct
import subprocess
import sys
import warnings
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import convert
from resnext.errors import CheckpointError, DataError, DeviceError
from resnext.images.image_set import ImageSet
from resnext.images.sources.folders import class_folders
from resnext.inference.arithmetic import Precision, find_device
from resnext.inference.evaluation import BatchResult, evaluate
from resnext.inference.metrics import Counts, count, top_five
from resnext.inference.pending import PendingValues
from resnext.inference.plan import Plan, make_plan
from resnext.inference.predictor import Predictor
from resnext.inference.scaling import scale_sources
from resnext.loader.batch import Batch
from resnext.loader.batches import memory_explained, read_batches
from resnext.pixels.decoding import Picture, decode_picture
from resnext.pixels.pipelines import Preparation
from resnext.pixels.raw_crops import RawCrops
from resnext.preprocessing import Interpolation, Pipeline, Preprocessing
from tests.support.golden import DATA, ROOT
from validate.ledger.entries import Collection, Entry
from validate.measured_pass import PreparedRun, best_softmax, entries_of
from validate.verdicts.results import Changed, MeasuredRun

DIGITS = ROOT / "examples" / "digits"
GOLDEN = DATA / "digits_val_logits.npz"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SCALED = Preprocessing(scale=36, crop=32, mean=IMAGENET_MEAN, std=IMAGENET_STD)
CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def images() -> ImageSet:
    """Return the 360 images that Torch7 validated on."""
    return class_folders(DIGITS / "val")


def prepared(
    *,
    precision: Precision = Precision.FP32,
    compared: bool = False,
    on_device: bool = False,
    **changes: object,
) -> PreparedRun:
    network = convert.load(DIGITS / "resnext_11_8x4d_digits.t7").build()
    run = MeasuredRun(
        checkpoint="digits.t7",
        network="digits",
        weights_sha256="0",
        preprocessing=SCALED,
        precision=precision,
    )
    return PreparedRun(
        run=replace(run, **changes),  # type: ignore[arg-type]
        predictor=Predictor(network, device=CPU, precision=precision),
        reference=Predictor(network, device=CPU, precision=Precision.FP32) if compared else None,
        on_device=on_device,
    )


def measure(
    images: ImageSet,
    runs: list[PreparedRun],
    *,
    plan: Plan | None = None,
    batch_size: int = 16,
    workers: int = 0,
    compared: int = 0,
) -> tuple[list[BatchResult], list[list[Entry]], Collection]:
    plan = plan or make_plan(len(images), limit=None, seed=0, batch_size=batch_size)
    results = list(
        evaluate(
            images,
            plan,
            [each.way for each in runs],
            batches=range(plan.batches),
            workers=workers,
            compared=compared,
        )
    )
    collected = Collection(images, plan, runs=len(runs), classes=10)
    entries = [entries_of(result, images, [each.run for each in runs]) for result in results]
    for some_entries in entries:
        collected.add(some_entries)
    return results, entries, collected


def some(number: int) -> Plan:
    return Plan(positions=np.arange(number), batch_size=2)


def test_error_that_nobody_expects_ends_the_processes_that_read(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = prepared()

    def fail(_: object) -> None:
        raise RuntimeError("something new")

    monkeypatch.setattr(each.predictor, "start", fail)
    with pytest.raises(RuntimeError, match="something new") as caught:
        measure(images, [each], workers=1)
    assert caught.tb is not None  # and with it all that it refers to
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("ahead", [1, 40])
def test_batches_ahead_change_nothing(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    each = prepared()
    plan = some(20)
    expected = measure(images, [each], plan=plan)[1]
    started: list[int] = []
    start = each.predictor.start

    def begin(inputs: torch.Tensor | RawCrops) -> PendingValues:
        started.append(len(inputs))
        return start(inputs)

    monkeypatch.setattr(each.predictor, "start", begin)
    monkeypatch.setattr(each.predictor, "ahead", ahead)
    found = []
    for result in evaluate(images, plan, [each.way], batches=range(10), workers=0):
        found.append(entries_of(result, images, [each.run]))
        assert len(started) == min(len(found) + ahead, 10)
    assert found == expected


def test_memory_of_a_batch_is_handed_back_once_all_its_logits_are_there(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    wait, hand_back = PendingValues.wait, Batch.hand_back
    monkeypatch.setattr(PendingValues, "wait", lambda self: (done.append("logits"), wait(self))[1])
    monkeypatch.setattr(
        Batch, "hand_back", lambda self: (done.append(f"batch {len(self.lent)}"), hand_back(self))
    )
    both = [prepared(), prepared(precision=Precision.BF16, compared=True, on_device=True)]
    measure(images, both, plan=some(6), workers=1, compared=6)
    assert done == ["logits", "logits", "logits", "batch 2"] * 3


def test_networks_are_warmed_up_with_what_is_to_come(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    one, ten = prepared(), prepared(crops=10)
    monkeypatch.setattr(Predictor, "warm_up", lambda _, count, *, side: seen.append((count, side)))
    measure(images, [one, ten], plan=some(5))
    assert seen == [(2, 32), (20, 32)]


def test_digits_logits_are_those_of_torch7(images: ImageSet) -> None:
    with np.load(GOLDEN) as golden:
        names, expected = golden["names"], golden["logits"]
    each = prepared()
    positions = [list(range(start, min(start + 16, 360))) for start in range(0, 360, 16)]
    batches = read_batches(images, positions, [each.way.preparation], workers=0)
    found = np.concatenate([each.predictor.logits(batch.tensor()) for batch in batches])
    assert list(images.ids) == list(names)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-4
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


@pytest.mark.parametrize(("batch_size", "workers"), [(16, 0), (7, 2)])
def test_digits_counts_are_those_of_torch7(images: ImageSet, batch_size: int, workers: int) -> None:
    results, _, found = measure(images, [prepared()], batch_size=batch_size, workers=workers)
    assert found.counts() == (Counts(images=360, top1_correct=345, top5_correct=359),)
    assert len(results) == -(-360 // batch_size)
    assert all(result.network > 0 for result in results)


def test_entries_carry_image_label_and_five_classes_of_each_run(images: ImageSet) -> None:
    plan = Plan(positions=np.array([0, 1, 358, 359]), batch_size=4)
    _, (entries,), _ = measure(images, [prepared(), prepared()], plan=plan)
    assert [entry.image for entry in entries][::3] == [
        "0_zero/0020.JPEG",
        "9_nine/1792.JPEG",
    ]
    assert [entry.label for entry in entries] == [0, 0, 9, 9]
    for entry in entries:
        assert [len(top) for top in entry.top_five] == [5, 5]
        assert 0 < entry.confidence[0] <= 1


def test_each_image_is_read_and_decoded_once_and_prepared_once_for_each_preparation(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    prepare = Preparation.__call__

    def counted_decode(data: bytes) -> Picture:
        calls.append("decode")
        return decode_picture(data)

    def counted_prepare(self: Preparation, pixels: np.ndarray, position: int) -> np.ndarray:
        calls.append(f"{self.preprocessing.pixels} {self.preprocessing.scale}")
        return prepare(self, pixels, position)

    monkeypatch.setattr(Preparation, "__call__", counted_prepare)
    pil = SCALED.with_pipeline(Pipeline.PIL)
    bicubic = replace(pil, interpolation=Interpolation.BICUBIC)
    rows = (SCALED, pil, SCALED, bicubic, replace(bicubic, scale=40), pil)
    ways = [prepared(preprocessing=row) for row in rows]
    _, _, found = measure(replace(images, decode=counted_decode), ways, plan=some(5))
    distinct = ["torch7 36", "pil 36", "pil bicubic 36", "pil bicubic 40"]
    assert calls == ["decode", *distinct] * 5
    assert [each.images for each in found.counts()] == [5] * 6


@pytest.mark.parametrize("workers", [0, 1])
def test_images_that_cannot_be_read_are_listed_and_the_others_measured(
    tmp_path: Path, images: ImageSet, workers: int
) -> None:
    folder = tmp_path / "0_zero"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.JPEG").write_bytes(images.reader.read(number))
    found = class_folders(tmp_path)
    (folder / "1.JPEG").write_bytes(images.reader.read(1)[:300])
    (folder / "3.JPEG").unlink()
    _, _, collected = measure(found, [prepared()], batch_size=2, workers=workers)
    assert collected.counts()[0].images == 3
    decisions = collected.decisions()
    assert list(decisions.failures) == [1, 3]
    assert decisions.failures[1].startswith("0_zero/1.JPEG: ")
    assert "3.JPEG: cannot be read: No such file" in decisions.failures[3]
    assert decisions.top_five[0][1].tolist() == [-1] * 5


def test_batch_without_a_readable_image_is_measured(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.JPEG").write_bytes(b"no picture")
    _, _, collected = measure(class_folders(tmp_path), [prepared()])
    assert list(collected.decisions().failures) == [0]
    assert collected.counts()[0].images == 0


def test_pictures_that_are_not_ordinary_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    golden = DATA / "images"
    for name in ("cmyk.JPEG", "grayscale.JPEG", "png_named.JPEG", "landscape_420.JPEG"):
        (tmp_path / "a" / name).write_bytes((golden / name).read_bytes())
    _, _, collected = measure(class_folders(tmp_path), [prepared()])
    assert dict(collected.forms) == {"CMYK": 1, "gray": 1, "PNG named .jpeg": 1}


def test_ten_crops_are_decided_by_their_sum(images: ImageSet) -> None:
    way = prepared(crops=10)
    _, (entries,), _ = measure(images, [way], plan=some(2))
    network = convert.load(DIGITS / "resnext_11_8x4d_digits.t7").build()
    for position, entry in enumerate(entries):
        pixels = decode_picture(images.reader.read(position)).pixels
        crops = torch.from_numpy(way.way.preparation(pixels, position))
        assert crops.shape == (10, 3, 32, 32)
        with torch.no_grad():
            summed = network(crops).sum(0)
        assert list(entry.top_five[0]) == summed.topk(5).indices.tolist()


def test_faster_precision_reports_the_decisions_it_changed(images: ImageSet) -> None:
    # The reference is the same network with two outputs exchanged: what is a 3 is a 4 to it.
    plan = make_plan(len(images), limit=80, seed=0, batch_size=16)
    way = prepared(precision=Precision.BF16, compared=True)
    network = convert.load(DIGITS / "resnext_11_8x4d_digits.t7").build()
    with torch.no_grad():
        for parameter in network.fc.parameters():
            parameter[[3, 4]] = parameter[[4, 3]].clone()
    other = Predictor(network, device=CPU, precision=Precision.FP32)
    _, _, found = measure(images, [replace(way, reference=other)], plan=plan, compared=50)
    exchanged = np.isin(found.top_five[0][:50, 0], (3, 4)).sum()
    assert exchanged >= 5
    assert found.changes() == (Changed(images=50, top1=int(exchanged)),)


def test_pixels_that_the_device_scales_give_the_same_decisions(images: ImageSet) -> None:
    plan = Plan(positions=np.arange(0, 360, 9), batch_size=16)
    ways = [
        prepared(precision=Precision.BF16, compared=True, on_device=on_device)
        for on_device in (False, True)
    ]
    _, _, found = measure(images, ways, plan=plan, compared=20)
    assert found.changes()[0] == found.changes()[1]
    decisions = found.decisions()
    assert np.array_equal(*decisions.top_five)
    assert np.array_equal(*decisions.confidences)


def test_what_is_handed_over_is_the_same_from_another_process(images: ImageSet) -> None:
    ways = [Preparation(SCALED, on_device=on_device) for on_device in (True, False)]
    here, there = (
        list(read_batches(images, [[3, 200], [7]], ways, workers=workers)) for workers in (0, 1)
    )
    for one, other in zip(here, there, strict=True):
        (sources, tensor), (others, shared) = one.inputs, other.inputs
        assert isinstance(sources, RawCrops)
        assert isinstance(others, RawCrops)
        assert torch.equal(tensor, shared)
        assert torch.equal(scale_sources(sources), scale_sources(others))
        assert torch.equal(scale_sources(sources), tensor)
    assert len(there[0].lent) == 2  # they lie in memory of the other process


def test_no_more_processes_read_than_there_are_batches(images: ImageSet) -> None:
    ways = [Preparation(SCALED, on_device=False)]
    with closing(read_batches(images, [[3], [7]], ways, workers=20)) as read:
        next(read)
        assert len(multiprocessing.active_children()) <= 2


@pytest.mark.parametrize("name", ["xla", "vulkan", "foo", "meta", "hpu", "privateuseone", ""])
def test_device_that_computes_nothing_here_is_refused_in_a_few_words(name: str) -> None:
    expected = f"device '{name}': cpu, cuda, cuda:N or mps expected, as this machine has it; "
    with pytest.raises(DeviceError) as caught:
        find_device(name)
    message = str(caught.value)
    assert message.startswith(expected)
    assert 0 < len(message) - len(expected) <= 120


def test_changed_decisions_are_counted(images: ImageSet) -> None:
    collected = Collection(images, some(3), runs=1, classes=10)
    for position, best in enumerate((4, 5, None)):
        entry = Entry(
            batch=0,
            image=images.ids[position],
            label=0,
            top_five=((4, 1, 2, 3, 5),),
            confidence=(0.5,),
            reference=(best,),
        )
        collected.add([entry])
    assert collected.changes() == (Changed(images=2, top1=1),)


def test_two_images_of_one_name_are_refused(images: ImageSet) -> None:
    twice = replace(images, ids=("a", "a", *images.ids[2:]))
    with pytest.raises(DataError, match="two images of the same name"):
        Collection(twice, some(2), runs=1, classes=10)


def test_logits_that_are_not_finite_are_refused(images: ImageSet) -> None:
    broken = prepared()
    torch.nn.init.constant_(broken.predictor.network.fc.bias, float("nan"))
    with pytest.raises(CheckpointError, match=r"digits\.t7: finite logits.* 0_zero/0020\.JPEG"):
        measure(images, [broken], plan=some(2))


def test_softmax_of_the_best_is_a_probability_whatever_the_logits() -> None:
    logits = np.array([[1000, 1000], [0, np.log(3)]], np.float32)
    assert best_softmax(logits).tolist() == pytest.approx([0.5, 0.75])


def test_tensor_that_does_not_fit_in_memory_is_reported_as_such() -> None:
    with pytest.raises(DataError, match="use a smaller --batch-size"), memory_explained():
        torch.empty(2**60, dtype=torch.uint8)


def test_other_errors_are_left_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="something new"), memory_explained():
        raise RuntimeError("something new")


def test_terminal_that_is_gone_is_no_killed_reader() -> None:
    with pytest.raises(BrokenPipeError), memory_explained():
        raise BrokenPipeError


def test_killed_reader_is_explained(images: ImageSet) -> None:
    way = Preparation(SCALED)
    others = {*multiprocessing.active_children()}
    read = read_batches(images, [[place] for place in range(50)], [way], workers=1)

    def go_on_without_it() -> None:
        with memory_explained(), closing(read):
            next(read)
            (reader,) = {*multiprocessing.active_children()} - others
            reader.kill()
            list(read)

    with pytest.raises(DataError, match="was killed"):
        go_on_without_it()


@pytest.mark.parametrize("workers", [0, 1])
def test_reader_refuses_a_picture_of_too_many_pixels_without_a_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], workers: int
) -> None:
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / "1.bmp"
    Image.new("RGB", (4, 4)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[:18] + struct.pack("<ii", 10_000, 10_000) + data[26:])
    way = Preparation(SCALED)
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # as where nobody is testing
        read = read_batches(class_folders(tmp_path), [[0]], [way], workers=workers)
        with closing(read):
            (failure,) = next(read).failures
    assert failure.reason == "a/1.bmp: at most 89478485 pixels expected; make it smaller"
    assert capfd.readouterr().err == ""


# In a process of its own, as in a command: how much memory is returned at once also depends on
# what the process has mapped before, and one that has run thousands of tests has mapped a lot.
HUGE = """
import multiprocessing, sys
from contextlib import closing
from pathlib import Path
from resnext.images.sources.folders import class_folders
from resnext.loader.batches import read_batches
from resnext.pixels.pipelines import Preparation
from resnext.preprocessing import IMAGENET


def anonymous(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024


way = Preparation(IMAGENET)
images = class_folders(Path(sys.argv[1]))
with closing(read_batches(images, [[1], [0], [1], [1]], [way], workers=1)) as read:
    next(read)
    (reader,) = multiprocessing.active_children()
    before = anonymous(reader.pid)
    for _ in read:
        after = anonymous(reader.pid)
print(after - before)
"""


def test_reader_gives_back_what_a_huge_picture_took(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for number, side in enumerate((6000, 40)):
        Image.new("RGB", (side, side)).save(tmp_path / "a" / f"{number}.jpg")
    done = subprocess.run(
        [sys.executable, "-c", HUGE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 64 << 20  # the picture alone was 108 MB


def test_top_five_are_the_largest_logits_the_largest_first() -> None:
    logits = np.array([[0.1, 0.9, -3.0, 0.5, 0.3, 0.2, 0.4]], np.float32)
    assert top_five(logits).tolist() == [[1, 3, 6, 4, 5]]


def test_top_five_of_equal_logits_are_the_lower_classes() -> None:
    logits = np.array([[1, 2, 2, 1, 1, 1, 2]], np.float32)
    assert top_five(logits).tolist() == [[1, 2, 6, 0, 3]]


@given(
    rows=st.integers(0, 4).flatmap(
        lambda count: st.lists(
            st.lists(st.sampled_from([-0.0, 0.0, 1.5, -2, 7]), min_size=8, max_size=8),
            min_size=count,
            max_size=count,
        )
    )
)
def test_top_five_are_the_first_of_a_sorted_line(rows: list[list[float]]) -> None:
    expected = [sorted(range(8), key=lambda place: -row[place])[:5] for row in rows]
    assert top_five(np.array(rows, np.float32).reshape(-1, 8)).tolist() == expected


def test_top_five_of_three_classes_are_three() -> None:
    assert top_five(np.array([[1, 3, 2]], np.float32)).tolist() == [[1, 2, 0]]


def test_counts_tell_the_first_from_the_first_five() -> None:
    decisions = np.array([[7, 1, 2, 3, 4], [1, 7, 2, 3, 4], [1, 2, 3, 4, 7], [1, 2, 3, 4, 5]])
    labels = np.array([7, 7, 7, 7])
    assert count(decisions, labels) == Counts(images=4, top1_correct=1, top5_correct=3)


def test_counts_of_two_sets_add_up() -> None:
    one = Counts(images=4, top1_correct=1, top5_correct=3)
    two = Counts(images=2, top1_correct=2, top5_correct=2)
    assert one + two == Counts(images=6, top1_correct=3, top5_correct=5)


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "0_zero/none.JPEG"},
        {"label": 3},
        {"top_five": ()},
        {"top_five": ((1, 2, 3, 4),)},
        {"top_five": ((1, 2, 3, 4, 10),)},
        {"top_five": ((1, 2, 3, 4, 4),)},
        {"confidence": ()},
        {"confidence": (float("nan"),)},
        {"confidence": (1.5,)},
        {"reference": (10,)},
    ],
    ids=[
        *("image", "label", "no run", "four", "class", "twice"),
        *("confidence", "NaN", "above 1", "fp32"),
    ],
)
def test_decisions_that_were_changed_are_not_taken_back(
    images: ImageSet, changes: dict[str, object]
) -> None:
    good = Entry(
        batch=0,
        image=images.ids[0],
        label=0,
        top_five=((1, 2, 3, 4, 5),),
        confidence=(0.5,),
        reference=(None,),
    )
    Collection(images, some(2), runs=1, classes=10).restore([good], source="l")
    with pytest.raises(DataError, match=r"^l: .*the file was changed: remove it"):
        Collection(images, some(2), runs=1, classes=10).restore(
            [replace(good, **changes)],  # type: ignore[arg-type]
            source="l",
        )
    with pytest.raises(DataError, match="expected, once"):
        Collection(images, some(2), runs=1, classes=10).restore([good, good], source="l")
