"""The state dicts in the values of a file, and their tensors as arrays."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from convert.source.errors import NoNetworkError, WeightError
from convert.source.source import Array
from resnext.fields import cut, shown

if TYPE_CHECKING:
    from torch import Tensor

# What wrappers of a network put before each of its names: DataParallel and AveragedModel,
# torch.compile, Lightning's modules and the like.
PREFIXES: Final = ("module.", "_orig_mod.", "model.", "net.")
# An entry that is no part of the network -> why it is left behind.
LEFT_BEHIND: Final = {"n_averaged": "how many networks an average is of"}

# Of the search for state dicts.
MOST_NESTED: Final = 6
MOST_MAPPINGS: Final = 10_000
# Of a list of places or keys in a message.
MOST_NAMED: Final = 12


@dataclass(frozen=True, slots=True)
class StateDict:
    """One state dict of a file.

    Attributes:
        place: its keys from the root, joined by dots; empty for the root itself.
        tensors: by the file's names without the prefixes of wrappers; left-behind ones are gone.
        whole: the mapping as it is in the file.
    """

    place: str
    tensors: Mapping[str, Any]
    whole: Mapping[str, Any]


def find_state_dict(root: object, *, at: str | None = None) -> StateDict:
    """Return the one network's state dict of a file.

    Two of the same names and values count as one, and the first is taken.

    Args:
        root: the value that was saved.
        at: the place of the one to take, as the message about several names it.

    Raises:
        NoNetworkError: none inside, or several; names what is there instead.
    """
    found = dict(_state_dicts(root))
    if found and at is not None:
        if "" in found:
            raise NoNetworkError(
                f"one network at {cut(at)} expected, found that the whole file is one; "
                "leave --at out"
            )
        if at not in found:
            raise NoNetworkError(
                f"one network at {cut(at)} expected, found 0; the places are {_places(found)}"
            )
        found = {at: found[at]}
    if not found:
        raise NoNetworkError(f"no network in this file: it holds {_contents(root)}")
    (place, tensors), *others = found.items()
    if any(not _are_equal(tensors, other) for _, other in others):
        raise NoNetworkError(
            f"one network expected, found {len(found)}: {_places(found)}; "
            "resnext-convert --at PLACE takes one"
        )
    return _without_prefix(place, tensors)


def _state_dicts(root: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the mappings that hold convolutions by name, nearest to the root first."""
    pending: deque[tuple[str, object, int]] = deque([("", root, 0)])
    seen: set[int] = set()
    while pending and len(seen) < MOST_MAPPINGS:
        place, value, depth = pending.popleft()
        if not isinstance(value, dict) or id(value) in seen:
            continue
        seen.add(id(value))
        if any(_is_convolution(name, each) for name, each in entries(value)):
            yield place, value
        elif depth < MOST_NESTED:
            inside = ((name, each) for name, each in entries(value) if isinstance(name, str))
            pending += ((f"{place}.{name}" if place else name, i, depth + 1) for name, i in inside)


def _is_convolution(name: object, value: object) -> bool:
    return (
        isinstance(name, str)
        and name.endswith("weight")
        and getattr(value, "ndim", 0) == 4
        and is_tensor(value)
    )


def entries(mapping: Mapping[Any, Any]) -> Iterable[tuple[Any, Any]]:
    """Return the entries of a dict of a file, whose own attributes may hide the class's methods."""
    return dict.items(mapping)  # type: ignore[arg-type]


def is_tensor(value: object) -> bool:
    """Tell whether a value is a tensor of PyTorch."""
    import torch

    return isinstance(value, torch.Tensor)


def _are_equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two state dicts hold the same names and values."""
    import torch

    first, second = (_without_prefix("", each).tensors for each in (one, other))
    return first.keys() == second.keys() and all(
        is_tensor(value)
        and is_tensor(second[name])
        and value.dtype == second[name].dtype
        and torch.equal(value, second[name])
        for name, value in first.items()
    )


def _without_prefix(place: str, tensors: Mapping[str, Any]) -> StateDict:
    """Return a state dict without the prefixes that all of its names have."""
    names = {
        name if isinstance(name, str) else shown(name): value for name, value in entries(tensors)
    }
    while True:
        names = {name: value for name, value in names.items() if name not in LEFT_BEHIND}
        for each in PREFIXES:
            if names and all(name.startswith(each) for name in names):
                names = {name[len(each) :]: value for name, value in names.items()}
                break
        else:
            return StateDict(place, names, tensors)


def _places(found: Mapping[str, object]) -> str:
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ", ".join(cut(place) for place in list(found)[:MOST_NAMED]) + more


def _contents(root: object) -> str:
    if not isinstance(root, dict):
        return f"a {type(root).__name__}"
    names = [cut(str(key)) if isinstance(key, str) else shown(key) for key in root]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"a dict of {', '.join(names[:MOST_NAMED]) or 'nothing'}{more}"


def to_arrays(
    tensors: Mapping[str, Any], *, most: int, filled: tuple[tuple[int, int], ...] | None
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return tensors as arrays that share their memory, and how values were changed.

    NumPy has no bfloat16, which float32 holds exactly.

    Args:
        tensors: by name.
        most: bytes of all of them together: those of the file.
        filled: the memory that was filled from the file; None if all is.

    Raises:
        WeightError: an entry is no plain tensor, repeats elements, shares memory with another one,
            or is larger than the file, so that a small file would become a large network.
    """
    import torch

    memory: list[tuple[int, int, str]] = []  # of all tensors: start, end, name
    spans: list[tuple[int, int, str]] = []  # of those with floats
    arrays: dict[str, Array] = {}
    widened, total = 0, 0
    for name, value in tensors.items():
        tensor = _plain(name, value)
        total += tensor.numel() * tensor.element_size()
        if total > most:
            raise WeightError(f"{cut(name)}: the tensors up to this one take more than the file")
        if tensor.numel():
            reach = sum(
                (size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True)
            )
            start = tensor.data_ptr()
            memory.append((start, start + (reach + 1) * tensor.element_size(), name))
            if tensor.is_floating_point():  # counters that repeat or share say nothing wrong
                if reach + 1 < tensor.numel():
                    raise WeightError(
                        f"{cut(name)}: its elements repeat each other in memory; save a "
                        "contiguous copy of it"
                    )
                spans.append(memory[-1])
        if tensor.dtype is torch.bfloat16:
            tensor, widened = tensor.float(), widened + 1
        try:
            arrays[name] = tensor.numpy()
        except TypeError as error:
            raise WeightError(f"{cut(name)}: floats expected, found {tensor.dtype}") from error
        arrays[name].flags.writeable = False
    spans.sort()
    for (_, end, name), (start, _, other) in pairwise(spans):
        if start < end:
            raise WeightError(f"{cut(other)}: shares memory with {cut(name)}")
    if filled is not None:
        _check_filled(memory, filled)
    texts = (f"bfloat16 widened to float32 ({widened} tensors)",) if widened else ()
    return arrays, texts


def _plain(name: str, value: object) -> "Tensor":
    """Return a value that is an ordinary tensor of numbers in memory."""
    import torch

    if type(value) not in (torch.Tensor, torch.nn.Parameter):
        raise WeightError(f"{cut(name)}: a tensor expected, found a {type(value).__name__}")
    assert isinstance(value, torch.Tensor)
    value = torch.Tensor.detach(value)  # by the class: attributes from the file end here
    ordinary = value.layout is torch.strided and value.device.type == "cpu"
    if not ordinary or value.is_quantized or value.is_nested or value.is_conj() or value.is_neg():
        raise WeightError(
            f"{cut(name)}: an ordinary tensor expected, found {value.layout} of {value.dtype} on "
            f"{value.device.type}"
        )
    return value


def _check_filled(spans: list[tuple[int, int, str]], filled: tuple[tuple[int, int], ...]) -> None:
    """Check that the file has values for all of the tensors' memory."""
    blocks: list[list[int]] = []
    for start, count in filled:
        if blocks and start <= blocks[-1][1]:
            blocks[-1][1] = max(blocks[-1][1], start + count)
        else:
            blocks.append([start, start + count])
    starts = np.array([block[0] for block in blocks], np.uint64)
    for start, end, name in spans:
        at = int(np.searchsorted(starts, start, "right")) - 1
        if at < 0 or end > blocks[at][1]:
            raise WeightError(f"{cut(name)}: the file has no values of it")
