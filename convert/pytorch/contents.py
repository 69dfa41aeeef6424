"""What a file of PyTorch holds, as an outline of bounded size."""

from collections import Counter, deque
from collections.abc import Mapping
from itertools import islice
from math import isfinite
from typing import Final

from convert.pytorch.state_dicts import is_tensor
from convert.source.outline import Part
from resnext.fields import SHOWN, cut, shown

# Of an outline; the values nearest to the root are shown.
MOST_VALUES: Final = 40
DEEPEST: Final = 3
# A mapping or list of more entries is shown by its first ones.
MOST_ENTRIES: Final = 24
FIRST_ENTRIES: Final = 6
# Values that are counted; a training's state has some thousands.
MOST_COUNTED: Final = 100_000


def outline(name: str, value: object, *, without: object = None) -> Part:
    """Return the outline of a value and of what is in it.

    It has at most `MOST_VALUES` values from `DEEPEST` levels; those nearest to the root come first.

    Args:
        name: of the value.
        value: as PyTorch's reader returned it.
        without: a mapping that is left out.
    """
    root = _part(name, value)
    left = MOST_VALUES
    pending = deque([(root, value, 0)])
    while pending:
        part, value, depth = pending.popleft()
        items = _items(value)
        few = len(items) if len(items) <= MOST_ENTRIES else FIRST_ENTRIES
        count = 0 if depth == DEEPEST else min(few, left)
        for key, item in items[:count]:
            if item is without and without is not None:
                continue
            child = _part(cut(key) if isinstance(key, str) else shown(key), item)
            part.inside.append(child)
            pending.append((child, item, depth + 1))
            left -= 1
        if count:
            part.rest.update(_kind(item) for _, item in items[count:])
    return root


def tensor_types(root: object) -> dict[str, int]:
    """Return how many tensors of each type there are below a value, each tensor counted once."""
    found: Counter[str] = Counter()
    pending, seen = [root], set[int]()
    while pending and len(seen) < MOST_COUNTED:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if is_tensor(value):
            found[_dtype(value)] += 1
        else:
            pending += [item for _, item in _items(value)]
    return dict(sorted(found.items()))


def words(value: object) -> str:
    """Return what a value is, without what is in it."""
    return _described(value)[0]


def _items(value: object) -> list[tuple[object, object]]:
    """Return the entries of a mapping or a list."""
    if isinstance(value, Mapping):
        return list(islice(value.items(), MOST_COUNTED))
    if isinstance(value, list | tuple):
        return list(enumerate(value[:MOST_COUNTED]))
    return []


def _part(name: str, value: object) -> Part:
    text, facts = _described(value)
    return Part(name=name, words=text, facts={"kind": _kind(value), **facts})


def _described(value: object) -> tuple[str, dict[str, object]]:
    """Return what a value is, in words and as values that JSON takes, without what is in it."""
    if is_tensor(value):
        shape = [int(size) for size in value.shape]  # type: ignore[attr-defined]
        text = f"{_dtype(value)} {cut(str(tuple(shape)))}"
        return text, {"type": _dtype(value), "shape": shape}
    match value:
        case Mapping() | list() | tuple():
            return f"{_kind(value)} of {len(value)}", {"entries": len(value)}
        case str():
            more = f" ({len(value):,} letters)" if len(value) > SHOWN else ""
            return f'"{cut(value)}"{more}', {"value": cut(value)}
        case bool() | None:
            return str(value), {"value": value}
        case float():
            plain = value if isfinite(value) else str(value)
            return f"{value:g}", {"value": plain}
        case _:
            return shown(value), {"value": shown(value)}


def _kind(value: object) -> str:
    if is_tensor(value):
        return "tensor"
    if isinstance(value, Mapping):
        return "dict"
    return cut(type(value).__name__)


def _dtype(value: object) -> str:
    return str(getattr(value, "dtype", "")).removeprefix("torch.")
