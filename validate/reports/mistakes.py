"""The most confident mistakes with their pictures; bounded in number and in bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from resnext.errors import ResnextError
from resnext.images.image_set import ImageSet
from resnext.loader.library_warnings import silenced
from resnext.pages.thumbnails import Thumbnail, thumbnail_of
from resnext.terminal.text import printable, shortened
from validate.reports.classes import class_names
from validate.reports.statistics import Answers, confident_mistakes
from validate.verdicts.claim_groups import NetworkGroup
from validate.verdicts.results import Report

# Mistakes of one network, and of all networks together.
MOST_EACH: Final = 12
MOST: Final = 48
# Of all pictures together.
MOST_BYTES: Final = 700_000
# Characters of an image's name.
LONGEST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """An image that was answered wrongly.

    Attributes:
        image: its name in the set.
        label, answer: names of classes.
        confidence: softmax of the answer, in percent.
        picture: None where it can no longer be read, or there is no room for it.
    """

    image: str
    label: str
    answer: str
    confidence: str
    picture: Thumbnail | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """The most confident mistakes of the first run of a network.

    Attributes:
        wrong: how many mistakes the run made in all.
    """

    title: str
    pipeline: str
    mistakes: tuple[Mistake, ...]
    wrong: int


class Album:
    """Makes pictures of the images of a set until their bytes reach `MOST_BYTES`."""

    def __init__(self, images: ImageSet) -> None:
        self.images = images
        self.room = MOST_BYTES
        self.seen: dict[int, Thumbnail | None] = {}

    def picture(self, position: int) -> Thumbnail | None:
        """Return the picture of an image, which is read once however often it is shown."""
        if position not in self.seen and self.room > 0:
            self.seen[position] = thumbnail(self.images, position)
        found = self.seen.get(position)
        if found is None or len(found.uri) > self.room:
            return None
        self.room -= len(found.uri)
        return found


def galleries(report: Report, found: Answers, groups: Sequence[NetworkGroup]) -> list[Gallery]:
    """Return a gallery for each network that made mistakes."""
    names = class_names(report, found.classes)
    each = max(min(MOST_EACH, MOST // max(len(groups), 1)), 1)
    album = Album(report.images)
    views = []
    for group in groups:
        run = group.places[0]
        rows = confident_mistakes(found, run, most=each)
        if rows:
            views.append(
                Gallery(
                    title=printable(group.title),
                    pipeline=group.results[0].run.pixels,
                    mistakes=tuple(_mistake(found, run, row, names, album) for row in rows),
                    wrong=int(found.top_one(run).wrong.sum()),
                )
            )
    return views


def _mistake(found: Answers, run: int, row: int, names: Sequence[str], album: Album) -> Mistake:
    position = int(found.positions[row])
    return Mistake(
        image=shortened(printable(album.images.ids[position]), LONGEST),
        label=names[found.labels[row]],
        answer=names[found.top_one(run).answers[row]],
        confidence=f"{100 * found.confidences[run][row]:.1f}",
        picture=album.picture(position),
    )


def thumbnail(images: ImageSet, position: int) -> Thumbnail | None:
    """Return a small picture of an image, or None where it can no longer be read.

    Args:
        images: the set.
        position: of the image in it.
    """
    try:
        with silenced():  # when it was measured
            picture = images.decode(images.reader.read(position))
    except ResnextError:
        return None
    return thumbnail_of(picture.pixels)
