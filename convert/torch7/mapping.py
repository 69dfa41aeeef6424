"""Maps a module tree to a spec and named tensors, or refuses it and names the place.

Every module of the file is compared with the one that the original's model file would have built,
and every tensor is either used exactly once or listed among those that are ignored.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from convert.source.errors import StructureError, WeightError, first_of
from convert.source.source import Network
from convert.torch7.expected_tree import Expected, expected_tree
from convert.torch7.lua_classes import (
    CLASS_SETTINGS,
    KINDS,
    LEFT_BEHIND,
    METHODS,
    REQUIRED,
    SETTINGS,
    WEIGHTS,
)
from convert.torch7.objects import Object, Storage, Table, Tensor, text
from convert.torch7.recognition import recognise
from convert.torch7.tree import Module
from convert.torch7.weights import ModuleWeights, layer_tensors
from resnext.layout import layout


def read_network(network: Module) -> Network:
    """Map a module tree to the spec and the tensors of the network.

    Raises:
        ForeignModuleError: a class that the family does not have.
        StructureError: a module differs from the one that the original builds there.
        WeightError: a tensor is missing, misshapen, unexpected, shared, not finite or impossible.
    """
    recognised = recognise(network)
    comparison = _Comparison()
    comparison.compare(network, expected_tree(recognised.spec, recognised.form))
    if comparison.faults:
        raise StructureError(
            f"{first_of(comparison.faults)}; no model file of the original builds this network, "
            "and any other way to read it would be a guess: not converted"
        )
    if comparison.strays:
        raise WeightError(first_of(comparison.strays))
    mapped = layer_tensors(layout(recognised.spec), recognised.spec, comparison.parts)
    form = "" if recognised.spec.cardinality == 1 else "B" if recognised.form.branches else "C"
    return Network(
        spec=recognised.spec,
        tensors=mapped.tensors,
        conversions=mapped.conversions,
        computed=mapped.computed,
        form=form,
    )


@dataclass(slots=True)
class _Comparison:
    """The results of a walk over both trees.

    Attributes:
        faults: the differences, as messages.
        strays: tensors that are neither converted nor listed as ignored, as messages.
        parts: the modules that hold each layer's tensors, in the order of its outputs.
    """

    faults: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    parts: dict[str, list[ModuleWeights]] = field(default_factory=dict)

    def compare(self, found: Module, expected: Expected) -> None:
        """Compare one module, its settings and tensors, then its children."""
        kind = KINDS[found.type]
        if kind != expected.kind:
            self.faults.append(f"{found.place}: {expected.kind} expected")
            return
        self.faults += _setting_faults(found, expected)
        self.strays += _strays(found, kind)
        if expected.layer is not None:
            part = ModuleWeights(
                found.place, {n: t for n in WEIGHTS[kind] if (t := found.tensor(n))}
            )
            self.parts.setdefault(expected.layer.name, []).append(part)
        modules = found.modules
        if kind == "Sequential":
            modules = tuple(module for module in modules if not _has_no_effect(module))
        if len(modules) != len(expected.modules):
            kinds = ", ".join(KINDS[module.type] for module in modules)
            self.faults.append(
                f"{found.place}: {len(expected.modules)} modules "
                f"({', '.join(module.kind for module in expected.modules)}) expected, "
                f"found {len(modules)} ({kinds})"
            )
            return
        for child, wanted in zip(modules, expected.modules, strict=True):
            self.compare(child, wanted)


def _has_no_effect(module: Module) -> bool:
    """Tell whether a module is an nn.Copy of floats to floats, which has no effect in a sequence.

    fb.resnet.torch's first pre-activation networks have one.
    """
    output = module.fields.get("output")
    floats = not isinstance(output, Tensor) or output.array.dtype.kind == "f"
    return KINDS[module.type] == "Copy" and floats and not METHODS & module.fields.keys()


def _setting_faults(found: Module, expected: Expected) -> Iterator[str]:
    defaults = {**SETTINGS[expected.kind], **CLASS_SETTINGS.get(found.type, {})}
    for name, default in defaults.items():
        wanted = expected.settings.get(name, SETTINGS[expected.kind][name])
        value = _plain(found.fields.get(name, default))
        choices = wanted if isinstance(wanted, frozenset) else (wanted,)
        if value is REQUIRED:
            yield f"{found.place}: {name} is missing, {_show(choices)} expected"
        elif not any(type(value) is type(choice) and value == choice for choice in choices):
            yield f"{found.place}: {name} = {_show(choices)} expected, found {_show((value,))}"
    for name in sorted(METHODS & found.fields.keys()):
        yield f"{found.place}: a function of its own stands in for the class's {name}"


def _plain(value: object) -> object:
    """Return sizes (a LongStorage) as a tuple of floats, anything else as it is."""
    if isinstance(value, Storage):
        return tuple(float(size) for size in value.array[:16].tolist())
    return value


def _show(choices: frozenset[object] | tuple[object, ...]) -> str:
    return " or ".join(sorted(text(value) for value in choices))


def _strays(found: Module, kind: str) -> Iterator[str]:
    """Yield a message for each field with tensors that are neither converted nor ignored."""
    weights = WEIGHTS.get(kind, frozenset())
    known = weights | LEFT_BEHIND.keys()
    for name, value in found.fields.items():
        if name in weights and not isinstance(value, Tensor | None) and value is not False:
            yield f"{found.place}: {name} must be a tensor, found {text(value)}"
        elif name not in known and _holds_tensor(value):
            yield (
                f"{found.place}: field {name} holds a tensor that no layer of the family has; "
                "not converted, because leaving it out might change the answers"
            )


def _holds_tensor(value: object) -> bool:
    match value:
        case Tensor() | Storage():
            return bool(value.array.size)
        case Table():
            return any(
                isinstance(item, Table | Object) or _holds_tensor(item) for item in value.values()
            )
        case _:
            return isinstance(value, Object)
