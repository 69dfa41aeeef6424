"""report.html: parsed, and opened in a real browser."""

import base64
import hashlib
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnext.images.image_set import ImageSet
from resnext.inference.metrics import Counts
from resnext.pixels.decoding import Picture
from tests.support.browser import look
from tests.support.page import Page
from tests.support.sample_report import CLASSES, IDS, sample_report
from validate.reports.mistakes import MOST_BYTES, Album, thumbnail
from validate.reports.page import to_page
from validate.verdicts.results import Decisions, Report


@pytest.fixture(scope="module")
def html() -> str:
    return to_page(sample_report())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_page_says_the_verdict_first(page: Page) -> None:
    assert page.text.startswith(
        "incomplete Incomplete: 1 image could not be read. "
        "Not reproduced: 1 of 2 claims does not hold. "
        "Under pil the top-1 error is 20.00 points (1 image) above that under torch7."
    )


def test_page_shows_claims_with_both_pipelines(page: Page) -> None:
    assert (
        "top-1 error, published 0.0 by <b>another</b>, within 0.15 points "
        "torch7 4/5 20.00 3.62 to 62.45"
    ) in page.text
    assert "+20.00 +1 ✗ not reproduced pil 3/5 40.00 11.76 to 76.93" in page.text
    assert "1 image right under torch7 alone, 0 under pil alone" in page.text
    assert "top-5 error 1.5 (a README) is not judged: it was measured with 10 crops" in page.text


def test_page_plots_each_line_and_says_what_it_shows(page: Page) -> None:
    labels = [svg.get("aria-label") for svg in page.all("svg") if svg.get("role") == "img"]
    assert labels == [
        f"{pipeline}: measured {error} %, 95 % interval {interval}, {points} points from the "
        "published error"
        for points in (("0.00", "+20.00"), ("+20.00", "+40.00"))
        for pipeline, error, interval, points in (
            ("torch7", "20.00", "3.62 to 62.45", points[0]),
            ("pil", "40.00", "11.76 to 76.93", points[1]),
        )
    ]


def test_page_has_classes_confusion_and_mistakes(page: Page) -> None:
    assert f"cat {CLASSES[1]} (1)" in page.text
    assert "cat 1 1 0 <script>al…)</script> 0 2 0" in page.text
    assert f"{CLASSES[1]} 75.0 % label: cat {IDS[1]}" in page.text


def test_page_tells_images_time_and_settings(page: Page) -> None:
    for part in (
        "c/gone.png: a whole image expected, found one that is truncated",
        "images 6, of which 6 were measured CMYK 1 gray 2",
        "pets/val: 2 entries ignored l: 3 of 6 images are <there> already",
        "6 images in 2.0 s: 3.0 images/s",
        "decoding 1.0 166.67",
        "Settings device cpu precision fp32 tf32 false limit none Versions python 3.11.9",
        "resnext-validate --data pets/val '```' nets/x.t7",
        "It ended with exit code 2: images could not be read",
        "scale 256, crop 224, mean 0.485 0.456 0.406, std 0.229 0.224 0.225 (of pixels 0..1) "
        + "ab" * 32,
    ):
        assert part in page.text


def test_page_escapes_names(html: str, page: Page) -> None:
    assert "<script>alert" not in html
    assert "<b>another" not in html
    assert len(page.all("script")) == 1
    assert r"c/new\nline|`*.png" not in html  # decided rightly, so not shown
    html.encode("utf-8")


def test_page_loads_nothing(html: str, page: Page) -> None:
    assert re.findall(r"https?:|//[a-z]|url\(|@import", html) == []
    places = [tag[key] for _, tag in page.tags for key in ("src", "href") if key in tag]
    assert len(places) > 5
    assert [place for place in places if not re.match(r"#|data:", str(place))] == []


def test_page_allows_its_own_script_alone(html: str, page: Page) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = (meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_page_can_be_heard(page: Page) -> None:
    assert page.all("html") == [{"lang": "en"}]
    assert all(image.get("alt") for image in page.all("img"))
    assert all("scope" in head for head in page.all("th"))
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {str(link["href"])[1:] for link in page.all("a")} <= targets


def test_page_shows_pictures_of_the_images(page: Page) -> None:
    (image,) = page.all("img")
    kind, data = str(image["src"]).split(";base64,")
    assert kind == "data:image/png"
    with Image.open(BytesIO(base64.b64decode(data))) as picture:
        assert (picture.size, picture.convert("RGB").getpixel((0, 0))) == ((40, 30), (40, 100, 200))
    assert image["alt"] == f"{IDS[1]}: a cat, taken for {CLASSES[1]}"


def test_page_without_class_names_numbers_them() -> None:
    assert (
        "class 1 75.0 % label: class 0"
        in Page(to_page(replace(sample_report(), classes=None))).text
    )


def test_page_tells_two_classes_of_one_name_apart() -> None:
    report = replace(sample_report(), classes=("crane", "crane", "maillot"))
    assert "crane [1] 75.0 % label: crane [0]" in Page(to_page(report)).text


def test_page_of_nothing_read_has_its_parts() -> None:
    report = sample_report()
    empty = Decisions(
        positions=np.arange(6),
        top_five=(np.full((6, 3), -1, np.int32),),
        confidences=(np.full(6, np.nan, np.float32),),
        failures={n: f"image {n} is gone" for n in range(6)},
    )
    result = replace(report.results[0], counts=Counts(), judgements=())
    timing = replace(report.timing, images=0, wall=0.0)
    page = Page(to_page(replace(report, results=(result,), decisions=empty, timing=timing)))
    assert (
        "Incomplete: 6 images could not be read. Nothing judged: 1 claim was made with 10"
        in page.text
    )
    assert "every decision came from the ledger" in page.text


def test_picture_that_is_gone_is_said() -> None:
    report = sample_report(gone=False)
    tops = tuple(np.array([[1, 0, 2]], np.int32) for _ in range(2))
    decisions = Decisions(
        positions=np.array([5]),
        top_five=tops,
        confidences=tuple(np.array([0.5], np.float32) for _ in range(2)),
    )
    assert "no picture" in Page(to_page(replace(report, decisions=decisions))).text


class Noise:
    """Pictures that no format makes small."""

    def read(self, position: int) -> bytes:
        return position.to_bytes(4, "big")

    def stamp(self) -> str:
        return "noise"


def noise(data: bytes) -> Picture:
    generator = np.random.default_rng(int.from_bytes(data, "big"))
    return Picture(pixels=generator.integers(0, 256, (400, 600, 3), np.uint8))


def noisy(count: int) -> ImageSet:
    return ImageSet(
        root="noise",
        ids=tuple(map(str, range(count))),
        labels=np.zeros(count, np.int64),
        classes=None,
        reader=Noise(),
        decode=noise,
    )


def test_thumbnail_is_small_in_pixels_and_bytes() -> None:
    found = thumbnail(noisy(1), 0)
    assert found is not None
    assert (found.width, found.height, found.small) == (160, 107, False)
    assert found.uri.startswith("data:image/jpeg;base64,")
    assert len(found.uri) < 16_000


def test_album_stops_when_it_is_full() -> None:
    album = Album(noisy(200))
    shown = [album.picture(position) for position in range(200)]
    total = sum(len(picture.uri) for picture in shown if picture)
    assert 0.9 * MOST_BYTES < total <= MOST_BYTES
    assert shown[-1] is None


def large_report(images: int, classes: int, networks: int) -> Report:
    """Return a report of random decisions of networks under both pipelines."""
    report = sample_report(gone=False)
    generator = np.random.default_rng(0)
    labels = np.arange(images) % classes
    positions = generator.permutation(images)
    results, tops = [], []
    for network in range(networks):
        for result in report.results:
            top = (labels[:, None] + np.arange(5)) % classes
            wrong = generator.random(images) < 0.01 + 0.5 * labels / classes
            top[wrong, 0] = generator.integers(0, classes, int(wrong.sum()))
            right = int((top[:, 0] == labels).sum())
            counts = Counts(images=images, top1_correct=right, top5_correct=images)
            run = replace(result.run, network=f"network {network}", checkpoint=f"{network}.t7")
            results.append(replace(result, run=run, counts=counts, judgements=(), unjudged=()))
            tops.append(top[positions].astype(np.int32))
    return replace(
        report,
        results=tuple(results),
        images=replace(noisy(images), labels=labels),
        classes=tuple(f"a rather long name of class number {n}" for n in range(classes)),
        decisions=Decisions(
            positions=positions,
            top_five=tuple(tops),
            confidences=tuple(generator.random(images, np.float32) for _ in tops),
        ),
    )


def test_page_of_imagenet_is_less_than_two_megabytes() -> None:
    html = to_page(large_report(50_000, 1000, 3))
    assert len(html.encode()) < 2_000_000
    page = Page(html)
    assert "All 1,000 classes" in page.text
    assert len(page.all("img")) == 36


def test_page_of_very_many_classes_and_networks_is_bounded() -> None:
    html = to_page(large_report(30_000, 21_841, 20))
    assert len(html.encode()) < 3_000_000
    assert "21,091 more are in predictions.csv" in html


@pytest.mark.slow
def test_page_fits_every_width_in_a_browser(tmp_path: Path, html: str) -> None:
    seen = look(tmp_path, html)
    assert {width: found["overflow"] for width, found in seen.items()} == dict.fromkeys(
        ("360", "800", "1600"), 0
    )
    for found in seen.values():
        widths = found["plots"]
        assert isinstance(widths, list)
        assert len(widths) == 4
        assert min(widths) > 190
        assert found["broken"] == 0


@pytest.mark.slow
def test_page_of_imagenet_fits_and_sorts_in_a_browser(tmp_path: Path) -> None:
    seen = look(tmp_path, to_page(large_report(10_000, 1000, 2)))
    assert [found["overflow"] for found in seen.values()] == [0, 0, 0]
    assert [found["broken"] for found in seen.values()] == [0, 0, 0]
    # Sorted twice by the first run's error: the easiest class stands first.
    assert {found["first"] for found in seen.values()} == {"0.0"}
