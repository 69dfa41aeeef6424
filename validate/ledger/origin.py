"""What a ledger's first line says about its networks, each value checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from resnext.errors import PreprocessingError, SpecError
from resnext.fields import is_whole, shown
from resnext.images.imagenet import SET, WNIDS, titles
from resnext.preprocessing import Preprocessing
from resnext.spec import Spec
from validate.ledger.stored import LedgerError, Stored
from validate.verdicts.identity import Identity

MOST_CLASSES: Final = 1 << 24
MOST_LETTERS: Final = 1000  # of a name, as in a checkpoint's header
UNSTATED: Final = 0  # crops, of predictions that do not say it


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRun:
    """A run as a ledger describes it; what it does not state is None.

    Attributes:
        network: its name.
        weights_sha256: of its tensors.
        preprocessing: what its images went through.
        pipeline, interpolation: whose arithmetic did that, and how, as they are called.
        usual: the preprocessing that went with the network's claims.
        crops: 1 or 10.
        precision: of its arithmetic, as it is called.
        compiled: by torch.compile.
        file, sha256, bytes: of the file that the network was converted from.
        identity: by what claims about the network are chosen.
    """

    network: str
    weights_sha256: str | None
    preprocessing: Preprocessing | None
    pipeline: str
    interpolation: str | None
    usual: Preprocessing | None
    crops: int | None
    precision: str
    compiled: bool
    file: str | None
    sha256: str | None
    bytes: int | None
    identity: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOrigin:
    """Where a ledger comes from.

    Attributes:
        runs: in their order.
        classes: of the networks; None where the ledger does not say.
        names: of the classes by label: wnids for ImageNet's; None where there are none.
        images: of the whole set; None where the ledger does not say.
    """

    runs: tuple[LedgerRun, ...]
    classes: int | None
    names: tuple[str, ...] | None
    images: int | None

    @property
    def titles(self) -> tuple[str, ...] | None:
        """Return readable names of the classes."""
        return titles(self.names)


def origin_of(stored: Stored) -> LedgerOrigin:
    """Return what the first line of a ledger says of where it comes from.

    Raises:
        LedgerError: a value is not of its kind.
    """
    made, runs = stored.made, stored.identity["runs"]
    checkpoints = made.get("checkpoints", [{}] * len(runs))
    if not (
        isinstance(checkpoints, list)
        and len(checkpoints) == len(runs)
        and all(isinstance(each, dict) for each in checkpoints)
    ):
        raise LedgerError(f"{stored.path}: line 1: a checkpoint for each run expected")
    classes = _count(made.get("classes"), "classes", stored)
    if classes is not None and not 0 < classes <= MOST_CLASSES:
        raise LedgerError(f"{stored.path}: line 1: classes from 1 expected, found {classes}")
    names = class_names(stored)
    classes = len(names) if classes is None and names is not None else classes
    if names is not None and len(names) != classes:
        raise LedgerError(
            f"{stored.path}: line 1: names of {classes} classes expected, found {len(names)}"
        )
    data = stored.identity.get("data")
    images = data.get("images") if isinstance(data, dict) else None
    return LedgerOrigin(
        runs=tuple(
            _run(run, checkpoint, stored) for run, checkpoint in zip(runs, checkpoints, strict=True)
        ),
        classes=classes,
        names=names,
        images=_count(images, "the number of images", stored),
    )


def _run(run: Mapping[str, Any], checkpoint: Mapping[str, Any], stored: Stored) -> LedgerRun:
    preprocessing, usual = run["preprocessing"], checkpoint.get("preprocessing")
    for name in ("network", "pipeline", "precision", "weights_sha256"):
        if len(run[name]) > MOST_LETTERS:
            raise LedgerError(
                f"{stored.path}: line 1: {name} of at most {MOST_LETTERS} letters expected, found "
                f"{len(run[name])}"
            )
    if run["crops"] not in (UNSTATED, 1, 10):
        raise LedgerError(
            f"{stored.path}: line 1: crops as 1 or 10 expected, found {shown(run['crops'])}"
        )
    stated = None
    if "crop" in preprocessing:
        stated = _preprocessing({**preprocessing, "pipeline": run["pipeline"]}, stored)
    identity = _identity(run["network"], checkpoint, stored)
    return LedgerRun(
        network=run["network"],
        weights_sha256=run["weights_sha256"] or None,
        preprocessing=stated,
        pipeline=run["pipeline"],
        interpolation=_text(preprocessing.get("interpolation"), "interpolation", stored),
        usual=None if usual is None else _preprocessing(usual, stored),
        crops=run["crops"] or None,
        precision=run["precision"],
        compiled=run.get("compiled") is True,
        file=identity.file,
        sha256=identity.sha256,
        bytes=identity.bytes,
        identity=identity,
    )


def identity_fields(identity: Identity) -> dict[str, object]:
    """Return what a network is called, and its architecture, as JSON holds it in a first line."""
    fields = {
        "called": identity.names[-1],
        "published_name": identity.published_name,
        "stated": identity.stated or None,
        "spec": None if identity.spec is None else identity.spec.to_fields(),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _identity(network: str, checkpoint: Mapping[str, Any], stored: Stored) -> Identity:
    """Return what `identity_fields` gave; ledgers of earlier versions have one name alone."""
    called = _text(checkpoint.get("called"), "called", stored)
    header = _text(checkpoint.get("published_name"), "published_name", stored)
    for name in filter(None, (called, header)):
        if len(name) > MOST_LETTERS:
            raise LedgerError(
                f"{stored.path}: line 1: names of at most {MOST_LETTERS} letters expected, found "
                f"{len(name)}"
            )
    return Identity(
        names=tuple(filter(None, (header, called))) or (network,),
        published_name=header,
        stated=checkpoint.get("stated") is True,
        spec=_spec(checkpoint.get("spec"), stored),
        file=_text(checkpoint.get("file"), "file", stored),
        sha256=_text(checkpoint.get("sha256"), "sha256", stored),
        bytes=_count(checkpoint.get("bytes"), "bytes", stored),
    )


def _spec(fields: object, stored: Stored) -> Spec | None:
    where = f"{stored.path}: line 1: spec"
    if fields is None:
        return None
    if not isinstance(fields, dict):
        raise LedgerError(f"{where}: a table expected, found {shown(fields)}")
    try:
        return Spec.from_fields(fields, where)
    except SpecError as error:
        raise LedgerError(str(error)) from error


def _preprocessing(fields: object, stored: Stored) -> Preprocessing:
    where = f"{stored.path}: line 1: preprocessing"
    if not isinstance(fields, dict):
        raise LedgerError(f"{where}: a table expected, found {shown(fields)}")
    try:
        return Preprocessing.from_fields(fields, where)
    except PreprocessingError as error:
        raise LedgerError(str(error)) from error


def class_names(stored: Stored) -> tuple[str, ...] | None:
    """Return the names of the classes by label, wnids for ImageNet's; None if there are none.

    Raises:
        LedgerError: they are no texts.
    """
    value = stored.made.get("class_names")
    if value is None:
        return None
    if value == SET:
        return WNIDS
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise LedgerError(
        f"{stored.path}: line 1: class_names as a list of texts, or {SET}, expected, found "
        f"{shown(value)}"
    )


def _count(value: object, name: str, stored: Stored) -> int | None:
    if value is None or (is_whole(value) and 0 <= int(value) < 2**63):
        return None if value is None else int(value)
    raise LedgerError(
        f"{stored.path}: line 1: {name} as a whole number expected, found {shown(value)}"
    )


def _text(value: object, name: str, stored: Stored) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise LedgerError(f"{stored.path}: line 1: {name} as a text expected, found {shown(value)}")
