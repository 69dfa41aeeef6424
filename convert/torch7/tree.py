"""Finds the network among the Lua objects of a file, as a typed tree of nn modules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from convert.source.errors import NoNetworkError, StructureError
from convert.torch7.objects import Object, Table, Tensor, place, text
from resnext.fields import SHOWN, cut

# Containers that hold copies of one network, of which the first is taken.
WRAPPERS = frozenset({"nn.DataParallelTable"})
# Packages whose classes are modules, and the suffix of their classes that are losses instead.
PACKAGES = frozenset({"nn", "cudnn", "fbnn"})
LOSS = "Criterion"
# Levels of nested containers; a ResNeXt in form B, the family's deepest, has seven.
MOST_NESTED = 16
# The key under which fb.resnet.torch's file for `-resume` names the network's file.
POINTER = b"modelFile"
# Letters of a key in a list of keys.
MOST_NAMED = 40


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """One nn module.

    Attributes:
        path: its place in Lua's notation, e.g. `model.modules[5].modules[1]`.
        type: the class name in the file, e.g. `cudnn.SpatialConvolution`.
        offset: byte of the file at which it starts.
        fields: all its fields but its children.
        modules: its children.
    """

    path: str
    type: str
    offset: int
    fields: Mapping[str, object]
    modules: tuple["Module", ...]

    @property
    def place(self) -> str:
        """Return the place for a message."""
        return f"{self.path} ({self.type} @ byte {self.offset})"

    def walk(self) -> Iterator["Module"]:
        """Yield this module and everything below it, in order."""
        yield self
        for module in self.modules:
            yield from module.walk()

    def tensor(self, name: str) -> Tensor | None:
        """Return a tensor field, or None where there is none or an empty one."""
        value = self.fields.get(name)
        return value if isinstance(value, Tensor) and value.array.size else None


def find_network(root: object, *, at: str | None = None) -> Module:
    """Return the one network of a file, wherever it stands in tables, objects and wrappers.

    Args:
        root: the root value of the file.
        at: the place of the network to take, as the message about several names it.

    Raises:
        NoNetworkError: none inside, or several; names what is there instead.
        StructureError: a module is used at two places, or has no fields.
    """
    networks = list(_networks(root))
    if networks and at is not None:
        chosen = [found for found in networks if at in (found[0], found[0].partition(".")[2])]
        if len(chosen) != 1:
            raise NoNetworkError(
                f"one network at {cut(at)} expected, found {len(chosen)}; the places are "
                f"{_places(networks)}"
            )
        networks = chosen
    if not networks:
        raise NoNetworkError(f"no network in this file: {_contents(root)}")
    if len(networks) > 1:
        raise NoNetworkError(
            f"one network expected, found {len(networks)}: {_places(networks)}; "
            "resnext-convert --at PLACE takes one"
        )
    [(path, network)] = networks
    return _module(network, path, set())


def is_module(value: Object) -> bool:
    """Tell whether an object is a network or a layer, and not a loss."""
    return _is_of_a_package(value) and not value.type.endswith(LOSS)


def _is_of_a_package(value: Object) -> bool:
    return value.type.split(".")[0] in PACKAGES


# A step into a table, an object or a wrapper: what leads to it, and the key.
Step = tuple["Step | None", object]


def _networks(root: object) -> Iterator[tuple[str, Object]]:
    """Yield the nn modules of a file, each once, without searching inside them."""
    pending: list[tuple[object, Step | None]] = [(root, None)]
    seen: set[int] = set()
    while pending:
        value, step = pending.pop()
        if not isinstance(value, Object | Table) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Table):
            items = value
        elif value.type in WRAPPERS:
            if copies := _children(value):
                pending.append((copies[0], (step, WRAPPED)))
            continue
        elif _is_of_a_package(value):
            if is_module(value):
                yield _path(root, step), value
            continue
        elif isinstance(value.fields, Table):
            items = value.fields
        else:
            continue
        inside = [(item, (step, key)) for key, item in items.items()]
        pending += reversed([entry for entry in inside if isinstance(entry[0], Object | Table)])


WRAPPED = object()
# The place of a network that is the file's root value.
WHOLE = "model"
# Of a place in a message: steps, and letters if its keys are long.
MOST_STEPS = 50
MOST_PLACE = 2 * SHOWN


def _path(root: object, step: Step | None) -> str:
    """Return a place in Lua's notation; of a very deep one, its end."""
    parts: list[str] = []
    while step is not None and len(parts) < MOST_STEPS:
        earlier, key = step
        part = ".modules[1]" if key is WRAPPED else place("", key)
        if sum(map(len, parts)) + len(part) > MOST_PLACE:
            break
        parts.append(part)
        step = earlier
    whole = isinstance(root, Object) and _is_of_a_package(root)
    start = "..." if step is not None else WHOLE if whole else "file"
    return start + "".join(reversed(parts))


def _places(networks: list[tuple[str, Object]]) -> str:
    more = f" and {len(networks) - 12} more" if len(networks) > 12 else ""
    return ", ".join(path for path, _ in networks[:12]) + more


def _module(source: Object, path: str, seen: set[int]) -> Module:
    if id(source) in seen:
        raise StructureError(
            f"{path} ({source.type} @ byte {source.offset}): this module stands at another place "
            "too; no network of the family shares layers"
        )
    seen.add(id(source))
    if not isinstance(source.fields, Table):
        raise StructureError(f"{path} ({source.type} @ byte {source.offset}): has no fields")
    children = _children(source)
    if children and path.count(".modules[") >= MOST_NESTED:
        raise StructureError(
            f"{path} ({source.type} @ byte {source.offset}): modules more than {MOST_NESTED} deep, "
            "no network of the family nests them like that"
        )
    if isinstance(table := source.fields.get(b"modules"), Table) and len(table) > len(children):
        raise StructureError(
            f"{path} ({source.type} @ byte {source.offset}): its modules are not numbered from 1 "
            f"to {len(table)}"
        )
    modules = []
    for number, child in enumerate(children, 1):
        place = f"{path}.modules[{number}]"
        if not isinstance(child, Object):
            raise StructureError(f"{place}: a module expected, found {text(child)}")
        modules.append(_module(child, place, seen))
    fields: dict[str, object] = {}
    for key, value in source.fields.items():
        name = text(key) if isinstance(key, bytes) else f"[{text(key)}]"
        if key != b"modules":  # two long names can be the same where they are cut
            fields[name if name not in fields else f"{name} ({len(fields)})"] = value
    if (padding := fields.get("padding")) is not None:  # an old convolution's, before padW and padH
        fields |= {"padW": padding, "padH": padding}
    return Module(path, source.type, source.offset, fields, tuple(modules))


def _children(source: Object) -> list[object]:
    if not isinstance(source.fields, Table):
        return []
    modules = source.fields.get(b"modules")
    return modules.array() if isinstance(modules, Table) else []


def _contents(root: object) -> str:
    if not isinstance(root, Table):
        return f"it holds {text(root)}"
    if isinstance(name := root.get(POINTER), bytes):
        return f"it only names other files; convert {text(name)} instead"
    names = sorted(text(key)[:MOST_NAMED] for key in islice(root, 1000))
    more = f" and {len(root) - 12} more" if len(root) > 12 else ""
    return f"it holds a table of {', '.join(names[:12]) or 'nothing'}{more}"
