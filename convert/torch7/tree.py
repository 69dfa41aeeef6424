"""Finds the network among the Lua objects of a file, as a typed tree of nn modules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from convert.torch7.errors import NoNetworkError, StructureError
from convert.torch7.objects import Object, Table, Tensor
from resnext.terminal.text import printable

# Containers that hold copies of one network, of which the first is taken.
WRAPPERS = frozenset({"nn.DataParallelTable"})
# Packages whose classes are modules, and the suffix of their classes that are losses instead.
PACKAGES = frozenset({"nn", "cudnn", "fbnn"})
LOSS = "Criterion"
# Levels of nested containers; a ResNeXt in form B, the family's deepest, has seven.
MOST_NESTED = 16
# The key under which fb.resnet.torch's file for `-resume` names the network's file.
POINTER = b"modelFile"


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


def find_network(root: object) -> Module:
    """Return the one network of a file: its root, or inside tables and parallel wrappers.

    Args:
        root: the root value of the file.

    Raises:
        NoNetworkError: none inside, or several; names what is there instead.
        StructureError: a module is used at two places, or has no fields.
    """
    networks = list(_networks(root, "model" if isinstance(root, Object) else "file", set()))
    if not networks:
        raise NoNetworkError(f"no network in this file: {_contents(root)}")
    if len(networks) > 1:
        places = ", ".join(path for path, _ in networks[:12])
        raise NoNetworkError(f"one network expected, found {len(networks)}: {places}")
    [(path, network)] = networks
    return _module(network, path, set())


def _networks(value: object, path: str, seen: set[int]) -> Iterator[tuple[str, Object]]:
    """Yield the nn modules in tables, each once, without searching inside them."""
    if isinstance(value, Object):
        if id(value) in seen:
            return
        seen.add(id(value))
        if value.type in WRAPPERS:
            copies = _children(value)
            if copies:
                yield from _networks(copies[0], f"{path}.modules[1]", seen)
        elif value.type.split(".")[0] in PACKAGES and not value.type.endswith(LOSS):
            yield path, value
    elif isinstance(value, Table):
        for key, item in value.items():
            if isinstance(item, Object):
                yield from _networks(item, f"{path}.{text(key)}", seen)


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
            raise StructureError(f"{place}: a module expected, found {type(child).__name__}")
        modules.append(_module(child, place, seen))
    fields = {text(key): value for key, value in source.fields.items() if key != b"modules"}
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
        return f"it holds {getattr(root, 'type', type(root).__name__)}"
    if isinstance(name := root.get(POINTER), bytes):
        return f"it only names other files; convert {text(name)} instead"
    return f"it holds a table of {', '.join(sorted(text(key) for key in root)[:12]) or 'nothing'}"


def text(value: object) -> str:
    """Return a Lua key or string as printable text, without control characters."""
    if isinstance(value, bytes):
        return printable(value.decode("utf-8", "backslashreplace"))
    return f"{value:g}" if isinstance(value, float) else repr(value)
