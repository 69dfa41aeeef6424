"""The description of a checkpoint file: the facts that `--info` prints."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from convert.loading import assumed_preprocessing, is_safetensors, load_converted, naming
from convert.torch7 import file as t7
from convert.torch7.errors import RefusedError
from convert.torch7.mapping import read_network
from convert.torch7.objects import Function, Object, Storage, Table, Tensor
from convert.torch7.tree import Module, find_network
from convert.torch7.words import place, text
from resnext.checkpoint import Origin
from resnext.layout import layout
from resnext.preprocessing import Preprocessing
from resnext.published import published_row
from resnext.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """What is known of a network.

    Attributes:
        name: the published name, or the architecture's.
        input_size: side in pixels of the input that it was built for.
        parameters: number of trained parameters.
        multiply_adds: for one such input.
        conversions: how a conversion changes, or changed, values.
        form: of the blocks in a .t7, "B" or "C"; "" without groups.
        licence: of the weights, where it is known.
        sha256: of the original file, where it was stored.
        proof: of a converted checkpoint, as in its provenance.
        classes: their names; None where these are not stored.
        training: how it was trained by this project, as its checkpoint states; None if it was not.
    """

    name: str
    spec: Spec
    input_size: int
    parameters: int
    multiply_adds: int
    preprocessing: Preprocessing | None
    origin: Origin | None
    conversions: tuple[str, ...]
    form: str = ""
    licence: str | None = None
    sha256: str | None = None
    proof: float | None = None
    classes: tuple[str, ...] | None = None
    training: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is known of a file.

    Attributes:
        format: file format and encoding, or what wrote it.
        tensor_types: how many tensors of each type it holds.
        tree: its content, an indented line for each part.
        beside: what a training checkpoint holds besides the network: epoch, optimiser ...
        network: None if a conversion would refuse it, for the reason in `refusal`.
    """

    file: str
    format: str
    bytes: int
    tensor_types: dict[str, int]
    tree: tuple[str, ...]
    beside: tuple[str, ...] = ()
    network: NetworkFacts | None = None
    refusal: str | None = None


def describe_file(path: Path, *, at: str | None = None) -> Description:
    """Describe a file without converting it.

    Args:
        path: the file.
        at: the place of the network, where a .t7 holds several.

    Raises:
        ConvertError: it is not a readable .t7. A readable file that a conversion would refuse is
            described, with the reason in `refusal`.
        CheckpointError: a safetensors file that is damaged or was not written by this project.
        OSError: it cannot be opened.
    """
    return _describe_checkpoint(path) if is_safetensors(path) else _describe_t7(path, at)


def _describe_checkpoint(path: Path) -> Description:
    checkpoint = load_converted(path)
    source = checkpoint.provenance
    return Description(
        file=str(path),
        format=f"safetensors, {checkpoint.history}",
        bytes=path.stat().st_size,
        tensor_types=dict(Counter(array.dtype.name for array in checkpoint.tensors.values())),
        tree=tuple(f"{name} {array.shape}" for name, array in checkpoint.tensors.items()),
        network=_facts(
            checkpoint.spec,
            name=source.published_name,
            preprocessing=(checkpoint.preprocessing, checkpoint.origin),
            conversions=source.conversions,
            licence=source.licence,
            sha256=source.source_sha256,
            proof=source.proof,
            classes=checkpoint.classes,
            training=checkpoint.training,
        ),
    )


def _describe_t7(path: Path, at: str | None) -> Description:
    with naming(path):
        file = t7.load(path)
    tree, network, refusal = tuple(_value_lines("file", file.root)), None, None
    try:
        module = find_network(file.root, at=at)
        tree = tuple(_module_lines(module, 0))
        found = read_network(module)
    except RefusedError as error:
        refusal = str(error)
    else:
        row = published_row(found.spec, file=path.name, size=file.bytes)
        network = _facts(
            found.spec,
            name=row.name if row else None,
            preprocessing=assumed_preprocessing(found.spec, row),
            conversions=found.conversions,
            form=found.form,
            licence=row.licence if row else None,
        )
    longs = f", longs of {file.long_bytes} bytes" if file.long_bytes else ""
    others = f", the first of {file.others + 1} values" if file.others else ""
    return Description(
        file=str(path),
        format=f"Torch7, {file.encoding}{longs}{others}",
        bytes=file.bytes,
        tensor_types=dict(sorted(Counter(_tensor_types(file.root)).items())),
        tree=tree,
        beside=tuple(_beside(file.root)) if network else (),
        network=network,
        refusal=refusal,
    )


def _facts(
    spec: Spec,
    *,
    name: str | None,
    preprocessing: tuple[Preprocessing | None, Origin | None],
    conversions: tuple[str, ...],
    form: str = "",
    licence: str | None = None,
    sha256: str | None = None,
    proof: float | None = None,
    classes: tuple[str, ...] | None = None,
    training: Mapping[str, object] | None = None,
) -> NetworkFacts:
    rows = layout(spec)
    return NetworkFacts(
        name=name or spec.name,
        spec=spec,
        input_size=spec.input_size,
        parameters=rows.parameters(),
        multiply_adds=rows.multiply_adds(spec.input_size),
        preprocessing=preprocessing[0],
        origin=preprocessing[1],
        conversions=conversions,
        form=form,
        licence=licence,
        sha256=sha256,
        proof=proof,
        classes=classes,
        training=training,
    )


def _module_lines(module: Module, depth: int) -> Iterator[str]:
    """Yield the module tree as Lua prints it: class, shape of the weight, main settings."""
    weight = module.tensor("weight")
    shape = f" {'x'.join(str(size) for size in weight.array.shape)}" if weight else ""
    names = [name for name in ("dW", "dH", "groups") if module.fields.get(name, 1.0) != 1.0]
    settings = "".join(f", {name} {text(module.fields[name])}" for name in names)
    yield f"{'  ' * depth}{module.type}{shape}{settings}"
    for child in module.modules:
        yield from _module_lines(child, depth + 1)


MOST_LINES: Final = 100
# A table of more entries is shown by its first ones.
MOST_ENTRIES: Final = 30
FIRST_ENTRIES: Final = 6


def _value_lines(name: str, value: object) -> Iterator[str]:
    """Yield lines for a value and its content: three levels, each table once, at most 100 lines."""
    lines = _all_value_lines(name, value, 0, set())
    yield from islice(lines, MOST_LINES)
    if next(lines, None) is not None:
        yield "..."


def _all_value_lines(name: str, value: object, depth: int, seen: set[int]) -> Iterator[str]:
    indent = "  " * depth
    known = id(value) in seen
    match value:
        case Table():
            seen.add(id(value))
            yield f"{indent}{name}: table of {len(value)}{' (see above)' if known else ''}"
            if depth < 3 and not known:
                yield from _entry_lines(value, depth + 1, seen)
        case Object():
            seen.add(id(value))
            yield f"{indent}{name}: {value.type}{' (see above)' if known else ''}"
            if depth < 3 and not known and isinstance(value.fields, Table):
                yield from _entry_lines(value.fields, depth + 1, seen)
        case Tensor():
            yield f"{indent}{name}: {value.type} {value.array.shape}"
        case Storage():
            yield f"{indent}{name}: {value.type} of {value.array.size}"
        case Function():
            yield f"{indent}{name}: function"
        case _:
            yield f"{indent}{name}: {text(value)}"


def _entry_lines(table: Table, depth: int, seen: set[int]) -> Iterator[str]:
    """Yield lines for the entries of a table; of a long one the first, and how many there are."""
    shown = len(table) if len(table) <= MOST_ENTRIES else FIRST_ENTRIES
    for key, item in islice(table.items(), shown):
        yield from _all_value_lines(place("", key).removeprefix("."), item, depth, seen)
    if rest := Counter(_kind(item) for item in islice(table.values(), shown, None)):
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in rest.most_common(6))
        yield f"{'  ' * depth}and {rest.total():,} more: {kinds}"


def _kind(value: object) -> str:
    """Return what a value is, without its text."""
    match value:
        case bytes():
            return "string"
        case bool():
            return "boolean"
        case float():
            return "number"
        case Table():
            return "table"
        case Tensor() | Storage() | Object():
            return value.type
        case _:
            return "function" if isinstance(value, Function) else "nil"


def _beside(root: object) -> Iterator[str]:
    """Yield what a table holds besides its network."""
    for key, item in root.items() if isinstance(root, Table) else ():
        if not isinstance(item, Object):
            yield from _value_lines(place("", key).removeprefix("."), item)


def _tensor_types(root: object) -> Iterator[str]:
    """Yield the type of every tensor below a value, each tensor once."""
    pending, seen = [root], set[int]()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        match value:
            case Tensor():
                yield value.type
            case Object():
                pending.append(value.fields)
            case Table():
                pending.extend(value.values())
            case _:
                pass
