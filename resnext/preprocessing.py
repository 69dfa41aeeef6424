"""What happens to a picture before a network sees it, as a row that belongs to the weights."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Final, Self

from resnext.errors import PreprocessingError

LONGEST: Final = 9459  # pixels of a side: no picture of so many squared is read


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """The original validation pipeline, in numbers.

    Attributes:
        scale: pixels of the shorter side after scaling; None leaves the picture as it is.
        crop: pixels of a side of the square that the network sees.
        mean: subtracted per channel (red, green, blue), in units of `white`.
        std: divides per channel, in units of `white`, > 0.
        white: the value of a byte of 255. 1 for the ImageNet networks; 255 for those of CIFAR,
            whose mean and std are printed on the scale of bytes.
    """

    scale: int | None
    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    white: int = 1

    def __post_init__(self) -> None:
        if self.scale is not None and self.scale < self.crop:
            raise PreprocessingError(f"scale {self.scale} is smaller than crop {self.crop}")
        if (longest := max(self.scale or 0, self.crop)) > LONGEST:
            raise PreprocessingError(f"sides of {LONGEST} pixels at most expected, found {longest}")
        numbers = (*self.mean, *self.std)
        if self.crop < 1 or self.white not in (1, 255) or not all(map(isfinite, numbers)):
            raise PreprocessingError(f"crop >= 1, white 1 or 255, numbers expected, found {self}")
        if min(self.std) <= 0:
            raise PreprocessingError(f"std > 0 expected, found {self.std}")

    @classmethod
    def from_fields(cls, fields: Mapping[str, object], where: str) -> Self:
        """Build the row from the fields of a TOML table or a JSON object.

        Args:
            fields: `crop`, `mean` and `std`; `scale` and `white` where they apply.
            where: names the place in messages.

        Raises:
            PreprocessingError: a field is missing, unknown, of another type or out of bounds.
        """
        unknown = sorted(set(fields) - {"scale", "crop", "mean", "std", "white"})
        if unknown:
            raise PreprocessingError(f"{where}: unknown field {unknown[0]!r}")
        scale = None if fields.get("scale") is None else _whole(fields, "scale", where)
        crop = _whole(fields, "crop", where)
        mean, std = (_triple(fields, name, where) for name in ("mean", "std"))
        white = _whole(fields, "white", where) if "white" in fields else 1
        try:
            return cls(scale=scale, crop=crop, mean=mean, std=std, white=white)
        except PreprocessingError as error:
            raise PreprocessingError(f"{where}: {error}") from error

    def describe(self) -> str:
        """Return the row in words, as people write it."""
        scale = f"scale {self.scale}, " if self.scale else ""
        mean, std = (" ".join(f"{value:g}" for value in row) for row in (self.mean, self.std))
        return f"{scale}crop {self.crop}, mean {mean}, std {std}"

    def to_fields(self) -> dict[str, object]:
        """Return the row as plain values, ready for JSON."""
        return asdict(self)


def read_preprocessing(path: Path) -> Preprocessing:
    """Read a row from a TOML file with the fields of `Preprocessing`.

    Raises:
        PreprocessingError: no such file, not TOML, or other fields.
        OSError: the file cannot be read.
    """
    if not path.exists():
        known = ", ".join(PREPROCESSINGS)
        raise PreprocessingError(f"preprocessing {path}: {known} or a TOML file expected")
    try:
        # With the mark that editors on Windows begin a file with.
        fields = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PreprocessingError(f"{path}: not a TOML file: {error}") from error
    return Preprocessing.from_fields(fields, str(path))


MOST: Final = 1_000_000  # pixels, or a mean on the scale of bytes: nothing comes near


def _whole(fields: Mapping[str, object], name: str, where: str) -> int:
    value = fields.get(name)
    if type(value) is not int or not 0 < value < MOST:
        raise PreprocessingError(f"{where}: {name} must be a whole number, found {value!r}")
    return value


def _triple(fields: Mapping[str, object], name: str, where: str) -> tuple[float, float, float]:
    value = fields.get(name)
    if (
        not isinstance(value, list | tuple)
        or len(value) != 3
        or not all(type(item) in (int, float) and abs(item) < MOST for item in value)
    ):
        raise PreprocessingError(f"{where}: {name} must be three numbers, found {value!r}")
    red, green, blue = value
    return (float(red), float(green), float(blue))


IMAGENET = Preprocessing(scale=256, crop=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
CIFAR10 = Preprocessing(
    scale=None, crop=32, mean=(125.3, 123.0, 113.9), std=(63.0, 62.1, 66.7), white=255
)
# Source: datasets/cifar100.lua of the original release.
CIFAR100 = Preprocessing(
    scale=None, crop=32, mean=(129.3, 124.1, 112.4), std=(68.2, 65.4, 70.4), white=255
)
PREPROCESSINGS = {"imagenet": IMAGENET, "cifar10": CIFAR10, "cifar100": CIFAR100}
