"""The architecture of a network of the family, in numbers: no weights, no preprocessing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final, Self

from resnext.errors import SpecError
from resnext.fields import check_known, check_whole, cut, is_whole, shown


class Stem(StrEnum):
    """The first layers: a 7x7 convolution and a max-pool, or one 3x3 convolution."""

    IMAGENET = "imagenet"
    CIFAR = "cifar"


class StemPool(StrEnum):
    """The max-pool of the ImageNet stem, 3x3 with stride 2.

    PADDED: one pixel of padding, sizes rounded down, as in Torch7, torchvision and MXNet. CEIL: no
    padding, sizes rounded up, as in Caffe; at a side of 112 both give 56, of other windows.
    """

    PADDED = "padded"
    CEIL = "ceil"


class Block(StrEnum):
    """Two 3x3 convolutions, or 1x1 - 3x3 - 1x1 with an expansion of four."""

    BASIC = "basic"
    BOTTLENECK = "bottleneck"


class Norm(StrEnum):
    """Where batch norm is applied.

    POST: after each convolution. AFTER_ADD: the same, but the last one of a block comes after the
    addition. PRE: before each convolution, and in the first block of a stage before the branch and
    the shortcut part. PRE_BRANCH: before each convolution of the branch only, so that the shortcut
    takes the unnormalised sum, and after the projection; this is how fb.resnet.torch was when it
    published ResNet-200 (its issue 45).
    """

    POST = "post"
    AFTER_ADD = "after_add"
    PRE = "pre"
    PRE_BRANCH = "pre_branch"

    @property
    def is_pre(self) -> bool:
        """Tell whether batch norm comes before the convolutions."""
        return self in (Norm.PRE, Norm.PRE_BRANCH)


class Shortcut(StrEnum):
    """A: a strided identity padded with zeros; B: a projection where widths differ; C: always.

    FIRST: in the first block of each stage, whatever the widths are, as in MXNet's model files.
    """

    A = "A"
    B = "B"
    C = "C"
    FIRST = "first"


# Ten times the deepest network ever published: a damaged header must not exhaust the memory.
MOST_BLOCKS: Final = 6000


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One network of the family.

    Plain values are accepted too, as files hold them: a list of blocks, the text of a `Stem`.

    Attributes:
        blocks: residual blocks per stage, three or four stages.
        stem, block, norm, shortcut: one of `Stem`, `Block`, `Norm`, `Shortcut`.
        stem_pool: one of `StemPool`; the stem of CIFAR has no pool, and `PADDED` here.
        cardinality: groups of the 3x3 convolution (1 for a ResNet).
        base_width: channels of one group in the first stage, the 4 of "32x4d".
        planes: the width of the first stage; each later stage doubles it, as it doubles the
            channels of a group. 64 in every published ImageNet network.
        stage_planes: the width of each stage, where it does not double from stage to stage; the
            first is `planes`. Empty where it doubles. The channels of a group grow alike.
        stem_width: channels after the stem.
        classes: outputs of the classifier.

    Raises:
        SpecError: a value of another type, numbers that contradict each other, or ones that the
            original could not build.
    """

    blocks: tuple[int, ...]
    stem: Stem = Stem.IMAGENET
    block: Block = Block.BOTTLENECK
    norm: Norm = Norm.POST
    shortcut: Shortcut = Shortcut.B
    cardinality: int = 1
    base_width: int = 64
    planes: int = 64
    stem_width: int = 64
    classes: int = 1000
    stem_pool: StemPool = StemPool.PADDED
    stage_planes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _value(field.name, getattr(self, field.name)))
        names = ("cardinality", "base_width", "planes", "stem_width", "classes")
        faults = [f"{name} {value}" for name in names if (value := getattr(self, name)) < 1]
        if len(self.blocks) not in (3, 4) or min(self.blocks) < 1:
            faults.insert(0, f"blocks {cut(str(list(self.blocks)))}")
        if faults:
            raise SpecError(
                f"three or four stages and whole numbers >= 1 expected, found {', '.join(faults)}"
            )
        if sum(self.blocks) > MOST_BLOCKS:
            raise SpecError(f"at most {MOST_BLOCKS} blocks expected, found {sum(self.blocks)}")
        if self.block is Block.BASIC and (self.cardinality, self.base_width) != (1, self.planes):
            raise SpecError(
                f"a basic block has cardinality 1 and base width {self.planes} (its planes), "
                f"found {self.cardinality} and {self.base_width}"
            )
        if self.shortcut is Shortcut.A and self.block is Block.BOTTLENECK:
            raise SpecError("shortcut A exists for basic blocks only: it can double the width")
        if self.shortcut is Shortcut.A and self.stem_width not in (self.planes, self.planes // 2):
            raise SpecError(f"shortcut A cannot lead from {self.stem_width} to {self.planes}")
        if self.stem is Stem.CIFAR and self.stem_pool is not StemPool.PADDED:
            raise SpecError(f"the stem of CIFAR has no max-pool, found stem_pool {self.stem_pool}")
        self._check_stage_planes()

    def _check_stage_planes(self) -> None:
        """Check the widths of the stages; those that double are as if none were given."""
        given = self.stage_planes
        if not given:
            return
        if len(given) != len(self.blocks) or given[0] != self.planes or min(given) < 1:
            raise SpecError(
                f"stage_planes: {len(self.blocks)} whole numbers >= 1, the first of them "
                f"{self.planes} (planes), expected, found {cut(str(given))}"
            )
        if given == tuple(self.planes << stage for stage in range(len(given))):
            object.__setattr__(self, "stage_planes", ())
        elif self.shortcut is Shortcut.A:
            raise SpecError("shortcut A expects planes that double, found stage_planes")
        elif any(self.base_width * width < self.planes for width in given):
            raise SpecError(f"stage_planes: a group without channels in {cut(str(given))}")

    @property
    def depth(self) -> int:
        """Count the layers with weights on the longest path, as the papers do."""
        return sum(self.blocks) * (2 if self.block is Block.BASIC else 3) + 2

    @property
    def name(self) -> str:
        """Name the architecture as the release names its files, e.g. `resnext_50_32x4d`."""
        if self.cardinality == 1 and self.base_width == self.planes:
            return f"resnet_{self.depth}"
        return f"resnext_{self.depth}_{self.cardinality}x{self.base_width}d"

    @property
    def expansion(self) -> int:
        """Return the width of a block's output over its planes."""
        return 1 if self.block is Block.BASIC else 4

    @property
    def features(self) -> int:
        """Return the number of inputs of the classifier."""
        return self.width(len(self.blocks) - 1) * self.expansion

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Return the names of the stages as torchvision and timm have them, in their order."""
        return tuple(f"layer{number}" for number, _ in enumerate(self.blocks, start=1))

    @property
    def input_size(self) -> int:
        """Return the side, in pixels, of the input that the original's fixed pooling requires."""
        cell = (4 if self.stem is Stem.IMAGENET else 1) << (len(self.blocks) - 1)
        return cell * self.pool

    @property
    def pool(self) -> int:
        """Return the window of the last average pooling, in cells."""
        return 7 if self.stem is Stem.IMAGENET else 8

    def width(self, stage: int) -> int:
        """Return the planes of the 0-based stage."""
        return self.stage_planes[stage] if self.stage_planes else self.planes << stage

    def group_width(self, stage: int) -> int:
        """Return the channels of one group in the 0-based stage.

        The original's D = floor(planes * baseWidth / 64), where its planes are 64 * 2**stage.
        """
        return self.base_width * self.width(stage) // self.planes

    def to_fields(self) -> dict[str, object]:
        """Return the spec as plain values, ready for JSON.

        Fields that came later than the first checkpoints are left out where they are the default.
        """
        fields = {key: list(v) if type(v) is tuple else v for key, v in asdict(self).items()}
        usual = {"stem_pool": StemPool.PADDED, "stage_planes": []}
        return {key: v for key, v in fields.items() if key not in usual or v != usual[key]}

    @classmethod
    def from_fields(cls, values: Mapping[str, object], where: str) -> Self:
        """Build the spec from plain values, as JSON and TOML hold them.

        Args:
            values: any of the attributes; `blocks` is required.
            where: names the place in messages.

        Raises:
            SpecError: a field is unknown, missing, of another type or out of range.
        """
        check_known(values, [field.name for field in fields(cls)], where, SpecError)
        if "blocks" not in values:
            raise SpecError(f"{where}: blocks is missing")
        given: dict[str, Any] = dict(values)
        try:
            return cls(**given)
        except SpecError as error:
            raise SpecError(f"{where}: {error}") from error


_CHOICES: Mapping[str, type[StrEnum]] = {
    "stem": Stem,
    "block": Block,
    "norm": Norm,
    "shortcut": Shortcut,
    "stem_pool": StemPool,
}


def _value(name: str, value: object) -> object:
    """Return a value in the type of the attribute `name`, or refuse it."""
    if choices := _CHOICES.get(name):
        if value not in list(choices):
            raise SpecError(f"{name} is one of {', '.join(choices)}, found {shown(value)}")
        return choices(str(value))
    if name in ("blocks", "stage_planes"):
        if not isinstance(value, list | tuple) or not all(map(is_whole, value)):
            raise SpecError(f"{name} must be a list of whole numbers, found {shown(value)}")
        return tuple(check_whole(number, f"{name}: each", SpecError) for number in value)
    return check_whole(value, name, SpecError)
