"""What a .t7 file holds, as an outline of bounded size: lines for people, values for JSON."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import islice
from math import isfinite
from typing import Final

from convert.source.outline import Part
from convert.torch7.objects import Function, Object, Storage, Table, Tensor, place, text
from convert.torch7.tree import Module, is_module
from resnext.fields import SHOWN

# Of an outline; the values nearest to the root are shown.
MOST_VALUES: Final = 40
DEEPEST: Final = 3
# A table of more entries is shown by its first ones.
MOST_ENTRIES: Final = 24
FIRST_ENTRIES: Final = 6
# Settings of a module that are shown where they are not 1.
SETTINGS: Final = ("dW", "dH", "groups")


def outline(name: str, value: object) -> Part:
    """Return the outline of a value and of what is in it, each table and object once.

    It has at most `MOST_VALUES` values from `DEEPEST` levels; those nearest to the root come first.
    """
    root = _part(name, value)
    left, places = MOST_VALUES, {id(value): name}
    pending = deque([(root, value, name, 0)])
    while pending:
        part, value, path, depth = pending.popleft()
        items = _items(value)
        few = len(items) if len(items) <= MOST_ENTRIES else FIRST_ENTRIES
        shown = 0 if depth == DEEPEST else min(few, left)
        left -= shown
        for key, item in islice(items.items(), shown):
            there = place(path, key)
            known = places.get(id(item)) if isinstance(item, Table | Object) else None
            child = _part(place("", key).removeprefix("."), item)
            part.inside.append(child)
            if known is not None:
                child.words += f", the same as {known}"
                child.facts["same_as"] = known
            elif isinstance(item, Table | Object):
                places[id(item)] = there
                pending.append((child, item, there, depth + 1))
        if shown:
            part.rest.update(_kind(item) for item in islice(items.values(), shown, None))
    return root


def beside(root: object) -> tuple[Part, ...]:
    """Return what a table holds besides its network: epoch, optimiser ..."""
    if not isinstance(root, Table):
        return ()
    whole = outline("file", root)
    shown = [part for part in whole.inside if "modules" not in part.facts]
    if more := whole.rest.total():
        facts: dict[str, object] = {"not_shown": dict(whole.rest.most_common())}
        shown.append(Part(name="...", words=f"and {more} more", facts=facts))
    return tuple(shown)


def tensor_types(root: object) -> dict[str, int]:
    """Return how many tensors of each type there are below a value, each tensor counted once."""
    found: Counter[str] = Counter()
    pending, seen = [root], set[int]()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        match value:
            case Tensor():
                found[value.type] += 1
            case Object():
                pending.append(value.fields)
            case Table():
                pending.extend(value.values())
            case _:
                pass
    return dict(sorted(found.items()))


def module_classes(module: Module) -> dict[str, int]:
    """Return how many modules of each class a tree has, the most frequent class first."""
    return dict(Counter(each.type for each in module.walk()).most_common())


def module_lines(module: Module, depth: int = 0) -> Iterator[str]:
    """Yield the module tree as Lua prints it: class, shape of the weight, main settings."""
    weight = module.tensor("weight")
    shape = f" {'x'.join(str(size) for size in weight.array.shape)}" if weight else ""
    settings = "".join(f", {name} {text(value)}" for name, value in _settings(module))
    yield f"{'  ' * depth}{module.type}{shape}{settings}"
    for child in module.modules:
        yield from module_lines(child, depth + 1)


def module_fields(module: Module) -> dict[str, object]:
    """Return the module tree as values that JSON takes."""
    fields: dict[str, object] = {"class": module.type}
    if weight := module.tensor("weight"):
        fields["weight"] = list(weight.array.shape)
    fields |= {name: _plain(value) for name, value in _settings(module)}
    if module.modules:
        fields["modules"] = [module_fields(child) for child in module.modules]
    return fields


def _settings(module: Module) -> Iterable[tuple[str, object]]:
    values = ((name, module.fields.get(name, 1.0)) for name in SETTINGS)
    return [(name, value) for name, value in values if value != 1.0]


def _items(value: object) -> Table:
    """Return the entries of a table or the fields of an object; none of an nn module."""
    if isinstance(value, Object):
        if is_module(value):
            return Table()
        value = value.fields if isinstance(value.fields, Table) else _alone(value.fields)
    return value if isinstance(value, Table) else Table()


def _alone(value: object) -> Table:
    """Return what an object holds in place of a table of fields, as the only part of one."""
    table = Table()
    if value is not None:
        table[b"content"] = value
    return table


def _part(name: str, value: object) -> Part:
    words, facts = _described(value)
    return Part(name=name, words=words, facts={"kind": _name(value), **facts})


def _described(value: object) -> tuple[str, dict[str, object]]:
    """Return what a value is, in words and as values that JSON takes, without what is in it."""
    match value:
        case Table():
            return f"table of {len(value)}", {"entries": len(value)}
        case Object() if is_module(value):
            inside = value.fields.get(b"modules") if isinstance(value.fields, Table) else None
            count = len(inside) if isinstance(inside, Table) else 0
            words = f"{value.type} of {count} modules" if count else value.type
            return words, {"class": value.type, "modules": count}
        case Object():
            return value.type, {"class": value.type}
        case Tensor():
            shape = value.array.shape
            facts = {"class": value.type, "shape": list(shape), "bytes": value.array.nbytes}
            return f"{value.type} {shape}", facts
        case Storage():
            count = value.array.size
            facts = {"class": value.type, "length": count, "bytes": value.array.nbytes}
            return f"{value.type} of {count}", facts
        case Function():
            return "function", {"bytes": len(value.dumped)}
        case bytes():
            shown = text(value)
            more = f" ({len(value):,} bytes)" if len(value) > SHOWN else ""
            return f'"{shown}"{more}', {"value": shown, "bytes": len(value)}
        case _:
            return text(value), {} if value is None else {"value": _plain(value)}


def _plain(value: object) -> object:
    """Return a number or boolean as JSON has it, anything else in words."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and isfinite(value):
        return int(value) if abs(value) < 2**53 and value == int(value) else value
    return text(value)


def _kind(value: object) -> str:
    """Return the class of a value that has one, else its kind."""
    return value.type if isinstance(value, Object | Tensor | Storage) else _name(value)


def _name(value: object) -> str:
    """Return the kind of a value."""
    match value:
        case bytes():
            return "string"
        case bool():
            return "boolean"
        case float():
            return "number"
        case None:
            return "nil"
        case _:
            return type(value).__name__.lower()
