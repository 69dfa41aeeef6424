"""The page of a prediction: what it holds, how it appears, and what a browser makes of it."""

import io
import json
import tracemalloc
from collections.abc import Callable, Iterable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from predict.errors import DestinationError
from predict.page import PageWriter
from predict.prediction import Answer, Prediction
from tests.support.browser import drive
from tests.support.page import Page


def answered(image: str, *answers: tuple[int, str, float]) -> Prediction:
    top = tuple(Answer(label=label, name=name, probability=share) for label, name, share in answers)
    return Prediction(image=image, top=top)


def picture(kind: str, side: int = 32, colour: str = "teal") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(file, kind)
    return file.getvalue()


def written(folder: Path, rows: Iterable[tuple[Prediction, bytes | None]]) -> str:
    with PageWriter(folder, title="some_network", facts=["fp32"]) as page:
        for prediction, thumbnail in rows:
            page.add(prediction, thumbnail)
    return (folder / "index.html").read_text(encoding="utf-8")


def data(html: str, name: str) -> Any:
    """Return the JSON in a script of the page, read as a browser finds the end of the script."""
    start = f'<script type="application/json" id="{name}">'
    return json.loads(html.partition(start)[2].partition("</script>")[0])


def files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


THREE = (
    (answered("a/one.JPEG", (3, "cat", 0.9605487654), (7, "dog", 0.08)), picture("JPEG", 160)),
    (Prediction(image="two.png", error="an image expected, found an empty file"), None),
    (answered("three.png", (7, "dog", 1.0)), picture("PNG")),
)


def test_page_holds_every_picture_with_its_answers(tmp_path: Path) -> None:
    html = written(tmp_path / "page", THREE)
    assert data(html, "rows") == [
        ["a/one.JPEG", "jpg", [[3, 0.960549], [7, 0.08]]],
        ["two.png", "", "an image expected, found an empty file"],
        ["three.png", "png", [[7, 1.0]]],
    ]
    assert data(html, "names") == {"3": "cat", "7": "dog"}
    shown = Page(html).text
    assert "some_network: 3 pictures" in shown
    assert "fp32" in shown
    assert "2 classes answered" in shown
    assert "1 could not be read" in shown
    assert files(tmp_path / "page") == [
        "index.html",
        "thumbnails/000/000.jpg",
        "thumbnails/000/002.png",
    ]
    assert (tmp_path / "page/thumbnails/000/000.jpg").read_bytes() == THREE[0][1]


def test_page_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    page = Page(written(tmp_path / "page", THREE))
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    assert all("src" not in script for script in page.all("script"))
    policy = next(each["content"] for each in page.all("meta") if "http-equiv" in each)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data: file: 'self'; style-src")


HOSTILE = "</script><script>document.title='broken'</script><!--<b>\x1b[31m\u202e&amp;\udcff.png"
SHOWN = HOSTILE.replace("\x1b", r"\x1b").replace("\u202e", r"\u202e").replace("\udcff", r"\udcff")


def test_names_from_strangers_stay_text(tmp_path: Path) -> None:
    html = written(
        tmp_path / "page",
        [
            (answered(HOSTILE, (0, HOSTILE, 0.5)), None),
            (Prediction(image="x", error=HOSTILE), None),
        ],
    )
    assert len(Page(html).all("script")) == 3
    assert data(html, "rows") == [[SHOWN, "", [[0, 0.5]]], ["x", "", SHOWN]]
    assert data(html, "names") == {"0": SHOWN}


def test_title_and_facts_are_escaped(tmp_path: Path) -> None:
    with PageWriter(tmp_path / "page", title="<b>", facts=["<i>"]):
        pass
    html = (tmp_path / "page" / "index.html").read_text()
    assert unescape(html.partition("<h1>")[2].partition("</h1>")[0]) == "<b>: 0 pictures"
    assert "<i>" not in html


def test_ten_answers_are_shown_of_many(tmp_path: Path) -> None:
    many = answered("x", *((label, str(label), 0.01) for label in range(1000)))
    html = written(tmp_path / "page", [(many, None)])
    assert data(html, "rows") == [["x", "", [[label, 0.01] for label in range(10)]]]
    assert len(data(html, "names")) == 10


def test_thumbnail_that_is_no_picture_is_left_out(tmp_path: Path) -> None:
    html = written(tmp_path / "page", [(answered("x"), b"GIF89a"), (answered("y"), b"")])
    assert data(html, "rows") == [["x", "", []], ["y", "", []]]
    assert files(tmp_path / "page") == ["index.html"]


def test_small_pictures_of_pictures_without_a_row_are_left_out(tmp_path: Path) -> None:
    with PageWriter(tmp_path / "page", title="x") as page:
        for number in (0, 1, 2, 5000):
            page.thumbnails.keep(number, picture("PNG"))
        page.add(answered("zero"))
        page.add(answered("one"))
    html = (tmp_path / "page" / "index.html").read_text()
    assert data(html, "rows") == [["zero", "png", []], ["one", "png", []]]
    names = ["index.html", "thumbnails/000/000.png", "thumbnails/000/001.png"]
    assert files(tmp_path / "page") == names


# The folder


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_page_that_is_not_finished_leaves_nothing(
    tmp_path: Path, error: type[BaseException]
) -> None:
    written(tmp_path / "page", THREE)
    before = (tmp_path / "page" / "index.html").read_bytes()

    def interrupted(name: str) -> None:
        with PageWriter(tmp_path / name, title="x") as page:
            page.add(*THREE[0])
            raise error

    for name in ("page", "new"):
        with pytest.raises(error):
            interrupted(name)
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    assert (tmp_path / "page" / "index.html").read_bytes() == before


def test_page_that_cannot_be_finished_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("predict.page.copyfileobj", full)
    with pytest.raises(OSError, match="No space left") as caught:
        written(tmp_path / "page", THREE)
    assert caught.value.filename == str(tmp_path / "page")
    assert list(tmp_path.iterdir()) == []


def test_earlier_page_and_empty_folder_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    written(tmp_path / "page", THREE)
    html = written(tmp_path / "page", THREE[1:2])
    assert data(html, "rows") == [["two.png", "", "an image expected, found an empty file"]]
    assert files(tmp_path / "page") == ["index.html"]


def other_files(path: Path) -> None:
    path.mkdir()
    (path / "thesis.txt").touch()


def page_with_more(path: Path) -> None:
    other_files(path)
    (path / "index.html").touch()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Path.touch, "page is no folder, which the page is; name another"),
        (lambda path: path.symlink_to(path.parent), "page is a link; name the folder itself"),
        (other_files, r"page holds other files \(thesis.txt\); name a new folder"),
        (page_with_more, "page also holds thesis.txt, so it is not replaced"),
    ],
    ids=["file", "link", "other files", "page with another file"],
)
def test_what_is_in_the_way_stays(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "page")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DestinationError, match=message):
        PageWriter(tmp_path / "page", title="x")
    assert sorted(tmp_path.rglob("*")) == before


def test_page_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match="nowhere: an existing folder expected"):
        PageWriter(tmp_path / "nowhere" / "page", title="x")


def test_memory_of_the_writer_does_not_grow(tmp_path: Path) -> None:
    """20,000 rows of some 200 bytes each."""
    answers = [(label, f"class {label}", 0.2) for label in range(5)]
    with PageWriter(tmp_path / "page", title="x") as page:
        page.add(answered("first", *answers))
        tracemalloc.start()
        for number in range(20_000):
            page.add(answered(f"{'folder/' * 10}{number}.JPEG", *answers))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert held < 200_000
    assert (tmp_path / "page" / "index.html").stat().st_size > 2_000_000


# In a browser

# Opens the page at several widths, and uses its controls as a person does.
SCRIPT = """
const found = {}, widths = [400, 1400];
for (const width of widths) {
  const frame = document.createElement("iframe");
  frame.style.width = `${width}px`;
  frame.style.height = "550px";  // both can be seen, or no frame would be drawn
  frame.onload = () => {
    const page = frame.contentDocument, seen = found[width] = {};
    const element = (id) => page.getElementById(id);
    const first = () => page.querySelector(".shot .file b")?.textContent ?? "";
    const enter = (id, value) => {
      element(id).value = value;
      const start = performance.now();
      element(id).dispatchEvent(new Event("input", { bubbles: true }));
      seen.slowest = Math.max(seen.slowest ?? 0, performance.now() - start);
      return [first(), element("count").textContent];
    };
    seen.title = page.title;
    seen.start = [first(), element("count").textContent];
    seen.cards = page.querySelectorAll(".shot").length;
    for (const order of ["surest", "unsurest", "class", "name"])
      seen[order] = enter("order", order)[0];
    enter("order", "given");
    seen.classes = [...element("class").options].map((option) => option.text);
    seen.search = enter("search", "OTTER 7");
    enter("search", "");
    seen.unreadable = enter("class", "unreadable");
    enter("class", "");
    seen.confident = enter("least", "99.5");
    seen.none = enter("search", "nothing has this name");
    element("reset").click();
    setTimeout(() => {
      seen.again = [first(), element("count").textContent];
      seen.overflow = page.documentElement.scrollWidth - page.documentElement.clientWidth;
      frame.contentWindow.scrollTo(0, 1e9);
      frame.contentWindow.dispatchEvent(new Event("scroll"));  // no frame is drawn at times
      setTimeout(() => {
        seen.last = [...page.querySelectorAll(".shot .file b")].at(-1).textContent;
        seen.pictures = [...page.images].map((image) => [image.naturalWidth, image.className]);
        seen.many = page.querySelectorAll(".shot").length;
        if (widths.every((each) => found[each]?.many))
          document.body.textContent = JSON.stringify(found);
      }, 1500);
    }, 100);
  };
  frame.src = "page/index.html";
  document.body.append(frame);
}
"""


def test_page_of_ten_thousand_pictures_in_a_browser(tmp_path: Path) -> None:
    """Picture n: the class is n modulo 7, its share 1 - n / 10000; 5000 could not be read."""
    small = picture("PNG")
    with PageWriter(tmp_path / "page", title="net") as page:
        for number in range(10_000):
            name = f"shore/{number}.png" if number else HOSTILE.replace("/", "|")
            if number == 5000:
                page.add(Prediction(image=name, error="an image expected, found an empty file"))
                continue
            label, share = number % 7, 1 - number / 10_000
            shown = answered(name, (label, f"otter {label}", share), (7, "x", 0.0))
            page.add(shown, small if number > 9900 else None)
    found = drive(tmp_path, SCRIPT)
    for width in ("400", "1400"):
        seen = found[width]
        strange = SHOWN.replace("/", "|")
        assert seen["title"] == "net: resnext-predict"
        assert seen["start"] == seen["again"] == [strange, "10,000 shown"]
        assert seen["surest"] == strange
        assert seen["unsurest"] == "9999.png"
        assert seen["class"] == strange  # the surest of otter 0
        assert seen["name"] == strange
        assert seen["classes"][0] == "every class"
        assert seen["classes"][1:3] == ["otter 0 (1,429)", "otter 1 (1,429)"]
        assert seen["classes"][-1] == "could not be read (1)"
        assert seen["search"] == ["", "0 of 10,000 shown"]
        assert seen["unreadable"] == ["5000.png", "1 of 10,000 shown"]
        assert seen["confident"] == [strange, "51 of 10,000 shown"]
        assert seen["none"] == ["", "0 of 10,000 shown"]
        assert seen["last"] == "9999.png"
        assert seen["pictures"]
        assert {tuple(each) for each in seen["pictures"]} == {(32, "few")}
        assert 3 <= seen["cards"] < 60
        assert 3 <= seen["many"] < 60
        assert seen["overflow"] == 0
        assert seen["slowest"] < 2000  # milliseconds, on a machine that does other things
