"""The page of a comparison: which images all runs get wrong, and where they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from resnext.fields import cut
from resnext.images.image_set import ImageSet
from resnext.images.imagenet import WNIDS, published_name, titles
from resnext.pages.frame import render_page
from resnext.pages.thumbnails import Thumbnail
from resnext.terminal.text import number, printable
from validate.comparison.comparison import run_name
from validate.comparison.several import Case, ChosenRun, Overview
from validate.comparison.text import p_words
from validate.ledger.origin import class_names
from validate.ledger.pairing import Named, UnpairedError, named, paired, picture
from validate.reports.mistakes import Album

TEMPLATE: Final = Path(__file__).with_name("comparison.html")
# Images of each section; --json and --all have all of them.
MOST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An image on the page.

    Attributes:
        image: its name.
        label: its class.
        answers: of each run: its class, and whether that is right.
        thumbnail: None where the picture is not at hand, or there is no room for it.
    """

    image: str
    label: str
    answers: tuple[tuple[str, bool], ...]
    thumbnail: Thumbnail | None


class Shelf:
    """The pictures of a set, by what they are known by in ledgers.

    Attributes:
        found: how many were looked for and are in the set.
        note: how names of other forms were paired with those of the ledgers; or None.
        reason: why they could not be; "" where there is nothing in common.
    """

    def __init__(self, images: ImageSet | None, wanted: Named) -> None:
        """Use a set; None stands for no pictures.

        Args:
            images: the set.
            wanted: the pictures that may be looked for.
        """
        self._album = None if images is None else Album(images)
        self._places = {picture(name): n for n, name in enumerate(images.ids)} if images else {}
        self.found = 0
        self.note: str | None = None
        self.reason = ""
        if images is not None:
            places = dict.fromkeys(self._places)
            there = Named(source=images.root, labels=places, numbered=images.numbered)
            try:
                pairing = paired(wanted, there)
            except UnpairedError as error:
                self.reason = f": {error.reason}" if error.reason else ""
            else:
                self.note = pairing.note
                for other, name in pairing.others.items():
                    self._places[name] = self._places[other]

    def thumbnail(self, image: str) -> Thumbnail | None:
        """Return a small picture of an image."""
        place = self._places.get(picture(image))
        if self._album is None or place is None:
            return None
        self.found += 1
        return self._album.picture(place)


def to_page(found: Overview, images: ImageSet | None) -> tuple[str, tuple[str, ...]]:
    """Return the page, HTML that loads nothing, and what to know about its pictures.

    Args:
        found: what is shown.
        images: the pictures, where they are at hand.
    """
    names = _names(found.runs)
    known = {name: label for run in found.runs for name, label in named(run.stored).labels.items()}
    numbered = any(run.stored.numbered for run in found.runs)
    shelf = Shelf(images, Named(source="the ledgers", labels=known, numbered=numbered))
    wrong = [_shown(case, names, shelf) for case in found.wrong_in_all[:MOST]]
    differing = [_shown(case, names, shelf) for case in found.differing[:MOST]]
    page = render_page(
        TEMPLATE,
        images=found.images,
        others=found.others,
        notes=[*map(printable, found.notes)],
        runs=[
            (
                n,
                printable(run_name(run.description)),
                printable(str(run.path)),
                right,
                f"{100 * right / found.images:.2f}",
            )
            for n, (run, right) in enumerate(zip(found.runs, found.right, strict=True), 1)
        ],
        right_in_all=found.right_in_all,
        right_in_some=found.right_in_some,
        wrong=wrong,
        wrong_count=len(found.wrong_in_all),
        wrong_alike=sum(case.is_answered_alike for case in found.wrong_in_all),
        differing=differing,
        differing_count=len(found.differing),
        pairs=[
            (
                *(place + 1 for place in pair.places),
                pair.comparison.images,
                pair.comparison.lost,
                pair.comparison.gained,
                len(pair.comparison.flips),
                p_words(pair.comparison.p_value).removeprefix("= "),
                p_words(pair.p_adjusted).removeprefix("= "),
            )
            for pair in found.pairs
        ],
        pair_count=number(len(found.pairs), "pair"),
        with_pictures=images is not None,
    )
    notes = [shelf.note] if shelf.note else []
    if images is not None and not shelf.found and (wrong or differing):
        notes.append(
            f"{images.root}: none of the images that the page shows is there{shelf.reason}"
        )
    return page, tuple(notes)


def _shown(case: Case, names: Sequence[str] | None, shelf: Shelf) -> Shown:
    return Shown(
        image=printable(cut(case.image)),
        label=_name(case.label, names),
        answers=tuple((_name(each, names), each == case.label) for each in case.answers),
        thumbnail=shelf.thumbnail(case.image),
    )


def _names(runs: Sequence[ChosenRun]) -> Sequence[str] | None:
    """Return readable names of the classes: as a ledger states them, or ImageNet's."""
    stated = next(filter(None, (class_names(run.stored) for run in runs)), None)
    if stated is None and any(published_name(each.image) for each in runs[0].stored.entries[:1]):
        stated = WNIDS
    return titles(stated)


def _name(label: int, names: Sequence[str] | None) -> str:
    known = names is not None and label < len(names)
    return printable(cut(names[label])) if names is not None and known else f"class {label}"
