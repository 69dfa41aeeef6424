"""The preprocessing of images before a network, as a row of numbers that belongs to the weights."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from resnext.errors import PreprocessingError
from resnext.fields import Faults, check_known, is_number, is_whole, read_toml, shown

# Pixels of a side. Images of more than about the square of this are refused by the decoder.
LONGEST: Final = 9459


class Pipeline(StrEnum):
    """Whose arithmetic scales, crops and normalises.

    TORCH7: the original's. PIL: Pillow's antialiased scaling, as torchvision and timm use it.
    OPENCV: OpenCV's, which does not antialias, as the tools of MXNet and Caffe use it.
    """

    TORCH7 = "torch7"
    PIL = "pil"
    OPENCV = "opencv"


class Interpolation(StrEnum):
    """How pixels are interpolated where a picture is scaled."""

    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


# The interpolations of each pipeline; the usual one comes first.
INTERPOLATIONS: Final = {
    Pipeline.TORCH7: (Interpolation.BICUBIC,),
    Pipeline.PIL: (Interpolation.BILINEAR, Interpolation.BICUBIC),
    Pipeline.OPENCV: (Interpolation.BILINEAR, Interpolation.BICUBIC),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """The way from a picture to the network's input, in numbers; the usual one is the original's.

    Plain values are accepted too, as files hold them: the text of a `Pipeline`.

    Attributes:
        scale: pixels of the shorter side after scaling; None means no scaling.
        crop: side in pixels of the square input of the network.
        mean: subtracted per channel (red, green, blue), in units of `white`.
        std: divides per channel, in units of `white`, at least `LEAST`.
        white: the value that a byte of 255 is scaled to: 1 for the ImageNet networks, 255 for those
            of CIFAR, whose mean and std are published on the scale of bytes.
        pipeline: whose arithmetic.
        interpolation: one of the pipeline's `INTERPOLATIONS`; None stands for its usual one, which
            the attribute then holds.

    Raises:
        PreprocessingError: a value of another type or out of bounds.
    """

    scale: int | None
    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    white: int = 1
    pipeline: Pipeline = Pipeline.TORCH7
    interpolation: Interpolation = None  # type: ignore[assignment]  # None does not stay

    def __post_init__(self) -> None:
        faults = Faults()
        for name in ("crop",) if self.scale is None else ("scale", "crop"):
            with faults.gathered():
                object.__setattr__(self, name, _side(name, getattr(self, name)))
        for name in ("mean", "std"):
            with faults.gathered():
                object.__setattr__(self, name, _triple(name, getattr(self, name)))
        if type(self.white) is not int or self.white not in (1, 255):
            faults.texts.append(f"white 1 or 255 expected, found {shown(self.white)}")
        with faults.gathered():
            object.__setattr__(self, "pipeline", pipeline_of(self.pipeline))
            interpolation = _interpolation(self.pipeline, self.interpolation)
            object.__setattr__(self, "interpolation", interpolation)
        if not faults.texts and self.scale is not None and self.scale < self.crop:
            faults.texts.append(f"scale {self.scale} is smaller than crop {self.crop}")
        if not faults.texts and min(self.std) < LEAST:
            faults.texts.append(f"std of at least {LEAST:g} expected, found {self.std}")
        if faults.texts:
            raise PreprocessingError("; ".join(faults.texts))

    @classmethod
    def from_fields(cls, values: Mapping[str, object], where: str) -> Self:
        """Build the row from the fields of a TOML table or a JSON object.

        Args:
            values: `crop`, `mean` and `std`; the other attributes where they apply.
            where: names the place in messages.

        Raises:
            PreprocessingError: a field is missing, unknown, of another type or out of bounds.
        """
        check_known(values, [field.name for field in fields(cls)], where, PreprocessingError)
        given: dict[str, Any] = dict.fromkeys(("scale", "crop", "mean", "std")) | dict(values)
        try:
            return cls(**given)
        except PreprocessingError as error:
            raise PreprocessingError(f"{where}: {error}") from error

    def with_sides(self, *, scale: int | None, crop: int | None, where: str) -> Self:
        """Return the row with the sides that --scale and --crop state; None keeps the row's own.

        Args:
            scale: pixels of the shorter side; 0 scales nothing.
            crop: pixels of the crop.
            where: names the network in messages.

        Raises:
            PreprocessingError: a side out of bounds, or a scale smaller than the crop.
        """
        try:
            return replace(
                self,
                scale=self.scale if scale is None else scale or None,
                crop=self.crop if crop is None else crop,
            )
        except PreprocessingError as error:
            asked = (("--scale", scale), ("--crop", crop))
            given = {flag: side for flag, side in asked if side is not None}
            helps = len(given) == 1 and all(0 < side <= LONGEST for side in given.values())
            raise PreprocessingError(
                f"{where} with {' and '.join(given)}: {error}{'; give both' if helps else ''}"
            ) from error

    def with_pipeline(self, pipeline: Pipeline) -> Self:
        """Return the row with another pipeline's arithmetic, for comparison.

        Pillow and OpenCV keep each other's interpolation; else the pipeline's usual one is taken.
        """
        if pipeline == self.pipeline:
            return self
        interpolation = self.interpolation
        if Pipeline.TORCH7 in (pipeline, self.pipeline):
            interpolation = INTERPOLATIONS[pipeline][0]
        return replace(self, pipeline=pipeline, interpolation=interpolation)

    @property
    def pixels(self) -> str:
        """Name the pipeline, with the interpolation where it is not the usual one."""
        usual = INTERPOLATIONS[self.pipeline][0]
        return self.pipeline + (f" {self.interpolation}" if self.interpolation != usual else "")

    def describe(self) -> str:
        """Return the row in words, with the unit of mean and std: where white lies."""
        pixels = (
            "" if self.pipeline is Pipeline.TORCH7 else f"{self.pipeline} {self.interpolation}, "
        )
        scale = f"scale {self.scale}, " if self.scale else ""
        mean, std = (" ".join(f"{value:g}" for value in row) for row in (self.mean, self.std))
        return (
            f"{pixels}{scale}crop {self.crop}, mean {mean}, std {std} (of pixels 0..{self.white})"
        )

    def changes(self, other: Self) -> str:
        """Return in words what differs from another row, "scale 36 in place of 40"."""
        names = [field.name for field in fields(self)]
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in names)
        return ", ".join(
            f"{name} {_words(value)} in place of {_words(old)}"
            for name, value, old in pairs
            if value != old
        )

    def to_fields(self) -> dict[str, object]:
        """Return the row as plain values, ready for JSON.

        The pipeline is left out where it is the original's, and the interpolation where it is the
        pipeline's usual one: such rows are as they were before there were others.
        """
        values = asdict(self)
        if self.interpolation is INTERPOLATIONS[self.pipeline][0]:
            del values["interpolation"]
        if self.pipeline is Pipeline.TORCH7:
            del values["pipeline"]
        return values


def read_preprocessing(path: Path) -> Preprocessing:
    """Read a row from a TOML file with the fields of `Preprocessing`.

    Raises:
        PreprocessingError: no such file, not TOML, or other fields.
        OSError: the file cannot be read.
    """
    if not path.exists() or path.is_dir():
        known = ", ".join(PREPROCESSINGS)
        raise PreprocessingError(f"preprocessing {path}: {known} or a TOML file expected")
    return Preprocessing.from_fields(read_toml(path, PreprocessingError), str(path))


def known_preprocessing(preprocessing: object) -> Preprocessing:
    """Return a row that was given for pictures.

    Raises:
        PreprocessingError: it is None or no row.
    """
    if preprocessing is None:
        raise PreprocessingError(
            "no preprocessing is known for these weights; give a resnext.Preprocessing, or store "
            "one with resnext-convert --preprocessing"
        )
    if not isinstance(preprocessing, Preprocessing):
        raise PreprocessingError(
            f"a resnext.Preprocessing expected, found {type(preprocessing).__name__}; give the "
            "checkpoint's own"
        )
    return preprocessing


MOST: Final = 1_000_000  # far above any mean or std, even on the scale of bytes
# Far below any std. Any difference from a mean, divided by this, is a finite float32.
LEAST: Final = 1e-30


def _words(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    return " ".join(f"{each:g}" for each in (value if isinstance(value, tuple) else (value,)))


def pipeline_of(value: object) -> Pipeline:
    """Return a pipeline from its name.

    Raises:
        PreprocessingError: there is none of that name.
    """
    if value not in list(Pipeline):
        raise PreprocessingError(f"pipeline is one of {', '.join(Pipeline)}, found {shown(value)}")
    return Pipeline(str(value))


def _interpolation(pipeline: Pipeline, value: object) -> Interpolation:
    """Return the interpolation of a pipeline from its name; None names the usual one."""
    known = INTERPOLATIONS[pipeline]
    if value is None:
        return known[0]
    if value not in known:
        raise PreprocessingError(
            f"interpolation of the {pipeline} pipeline is {' or '.join(known)}, "
            f"found {shown(value)}"
        )
    return Interpolation(str(value))


def _side(name: str, value: object) -> int:
    side = int(value) if is_whole(value) else 0
    if not 0 < side <= LONGEST:
        raise PreprocessingError(
            f"{name} must be a whole number of pixels from 1 to {LONGEST}, found {shown(value)}"
        )
    return side


def _triple(name: str, value: object) -> tuple[float, float, float]:
    numbers = value if isinstance(value, list | tuple) else ()
    if len(numbers) != 3 or not all(is_number(number, below=MOST) for number in numbers):
        raise PreprocessingError(
            f"{name} must be three numbers, finite and below {MOST:,}, found {shown(value)}"
        )
    red, green, blue = numbers
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


def named_preprocessing(name: str) -> Preprocessing:
    """Return the row that `--preprocessing` names: one of `PREPROCESSINGS`, or a TOML file.

    Raises:
        PreprocessingError, OSError: as `read_preprocessing`.
    """
    if not name:  # `pathlib` takes it, as of an unset variable, for the current folder
        raise PreprocessingError("--preprocessing: a name or a TOML file expected, found no text")
    return PREPROCESSINGS[name] if name in PREPROCESSINGS else read_preprocessing(Path(name))
