"""One measurement: the files that a command line names, to results.

torch is imported where the first network is built: a mistyped path must not wait for it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import convert
from resnext.data.sources import ImageSet, class_folders
from resnext.errors import DataError
from resnext.published import Row, published, read_table
from validate.checkpoints import find
from validate.claims import assess
from validate.protocols import choose, unused
from validate.report import Result
from validate.terminal import progress

if TYPE_CHECKING:
    from validate.evaluate import Candidate
    from validate.metrics import Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The command line.

    Attributes:
        data: folder of class folders.
        claims: table of the user's own, or None.
        batch_size: images of a batch, >= 1.
        workers: processes that read ahead; 0 reads in this one.
        checkpoints: files and folders; none stands for the current folder.
    """

    data: Path
    claims: Path | None
    batch_size: int
    workers: int
    checkpoints: tuple[str, ...]


def measure(config: Config, *, note: Callable[[str], None]) -> list[Result]:
    """Check all input, say what is worth knowing about it, then measure and judge.

    Args:
        config: what is measured.
        note: told, before the measurement starts, what the user should know about it.

    Raises:
        ResnextError: input that cannot be measured.
        OSError: a file that cannot be opened.
    """
    images = class_folders(config.data)
    own = read_table(config.claims) if config.claims else ()
    candidates = [_candidate(name, own) for name in find(config.checkpoints or (".",))]

    import torch

    from validate.batches import memory_explained
    from validate.evaluate import evaluate, tally

    torch.set_float32_matmul_precision("highest")  # the published arithmetic: float32 throughout
    decisions = evaluate(images, candidates, batch_size=config.batch_size, workers=config.workers)
    for text in _notes(config, images, candidates, own):
        note(text)
    with memory_explained(), progress(len(images.items)) as advance:
        counts = tally(decisions, len(candidates), progress=advance)
    return [_result(images, *each) for each in zip(candidates, counts, strict=True)]


def _candidate(name: str, own: Sequence[Row]) -> "Candidate":
    checkpoint = convert.load(name)
    protocol = choose(checkpoint, Path(name), own=own, published=published())

    from validate.evaluate import Candidate

    return Candidate(checkpoint=name, protocol=protocol, network=checkpoint.build())


def _notes(
    config: Config, images: ImageSet, candidates: "Sequence[Candidate]", own: Sequence[Row]
) -> Iterator[str]:
    protocols = [candidate.protocol for candidate in candidates]
    if not config.checkpoints:
        files = ", ".join(candidate.checkpoint for candidate in candidates)
        yield f"no checkpoint given, so those of this folder: {files}"
    if images.ignored:
        yield f"{images.root}: {images.ignored} entries ignored, hidden or no images"
    yield from (protocol.note for protocol in protocols if protocol.note)
    known = ", ".join(dict.fromkeys(protocol.name for protocol in protocols))
    names = unused(own, protocols)
    if own and len(names) == len(own):
        raise DataError(f"{config.claims}: none of its rows applies; the checkpoints are {known}")
    for name in names:
        yield f"{config.claims}: the row {name!r} applies to no checkpoint given; these are {known}"


def _result(images: ImageSet, candidate: "Candidate", counts: "Counts") -> Result:
    judgements, unjudged = assess(
        candidate.protocol.claims,
        counts,
        preprocessing=candidate.protocol.preprocessing,
        every_class=len(images.classes) == candidate.network.spec.classes,
    )
    return Result(
        checkpoint=candidate.checkpoint,
        network=candidate.protocol.name,
        preprocessing=candidate.protocol.preprocessing,
        counts=counts,
        judgements=judgements,
        unjudged=unjudged,
    )
