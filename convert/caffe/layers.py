"""The layers of a prototxt that take part in a prediction, as they are written."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from convert.caffe.text_format import Message, Word
from convert.source.errors import RefusedError, UnexpectedError
from resnext.fields import shown

T = TypeVar("T")

# A number that begins with 0 is octal, as in C.
_WHOLE: Final = re.compile(
    r"0[xX](?P<hex>[0-9a-fA-F]{1,8})|0(?P<octal>[0-7]{0,11})|[1-9][0-9]{0,9}"
)
_DECIMAL: Final = re.compile(r"[+-]?(?!0\d)(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,3})?f?")

INPUT: Final = "Input"
# Fields of a network that change no prediction; the others are its layers and its input.
OF_NETWORK: Final = frozenset({"name", "force_backward", "debug_info", "state"})


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """How a value is read.

    Attributes:
        words: what is expected, for messages.
        read: returns the value, or raises ValueError or KeyError.
    """

    words: str
    read: Callable[[Word], T]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer.

    Attributes:
        file: the prototxt's name, for messages.
        bottoms, tops: names of the values that it takes and gives.
        message: its fields as they are written.
    """

    file: str
    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    message: Message = field(repr=False)

    @property
    def place(self) -> str:
        """Return the layer's place for messages."""
        return f"{self.file}, line {self.message.line}: layer {shown(self.name)}"

    def parameters(self, name: str) -> Message:
        """Return the message of the layer's parameters, empty if it has none."""
        return self.message_of(self.message, name) or Message(self.message.line)

    def message_of(self, message: Message, name: str) -> Message | None:
        """Return a field that is one message, or None."""
        found = message.fields.get(name, [])
        if len(found) > 1 or not all(isinstance(each, Message) for each in found):
            raise UnexpectedError(f"{name}: one message expected", where=self.place)
        return found[0] if found and isinstance(found[0], Message) else None

    def values(self, message: Message, name: str, form: Form[T]) -> list[T]:
        """Return the values of a field, in their order."""
        values = []
        for each in message.fields.get(name, []):
            if isinstance(each, Message):
                raise self._unreadable(name, form, "a message")
            try:
                values.append(form.read(each))
            except (ValueError, KeyError) as error:
                raise self._unreadable(name, form, shown(each.text)) from error
        return values

    def _unreadable(self, name: str, form: Form[T], found: str) -> UnexpectedError:
        return UnexpectedError(f"{name}: {form.words} expected, found {found}", where=self.place)

    def value(self, message: Message, name: str, form: Form[T], usual: T) -> T:
        """Return a field of one value, or the usual one; Caffe takes no text with several, too."""
        found = self.values(message, name, form)
        if len(found) > 1:
            raise UnexpectedError(
                f"{name}: one value expected, found {len(found)}", where=self.place
            )
        return found[0] if found else usual


def _whole(word: Word) -> int:
    if word.quoted or not (found := _WHOLE.fullmatch(word.text)):
        raise ValueError
    if found["hex"]:
        return int(found["hex"], 16)
    return int(found["octal"] or "0", 8) if found["octal"] is not None else int(word.text)


def _number(word: Word) -> float:
    if word.quoted or not _DECIMAL.fullmatch(word.text):
        raise ValueError
    return float(word.text.removesuffix("f"))


def _flag(word: Word) -> bool:
    if word.quoted:
        raise ValueError
    words = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
    return words[word.text.lower()]


def _text(word: Word) -> str:
    if not word.quoted:
        raise ValueError
    return word.text


WHOLE: Final = Form("a whole number of at least 0", _whole)
NUMBER: Final = Form("a number", _number)
FLAG: Final = Form("true or false", _flag)
TEXT: Final = Form("a text in quotes", _text)
SYMBOL: Final = Form("a word", lambda word: word.text)


def read_layers(network: Message, file: str) -> tuple[Layer, ...]:
    """Return the layers of a prediction (phase TEST) in their order, the input first.

    Args:
        network: the whole file.
        file: its name, for messages.

    Raises:
        UnexpectedError: it has no layers, or fields that a network does not have.
        RefusedError: layers in the form of before 2015, or kept by other rules than the phase.
    """
    if "layers" in network.fields:
        raise RefusedError(
            f"{file}: layers in the form of Caffe before 2015 (`layers`); Caffe's "
            "upgrade_net_proto_text writes them in today's (`layer`)"
        )
    known = {"layer", "input", "input_dim", "input_shape", *OF_NETWORK}
    if unknown := [name for name in network.fields if name not in known]:
        raise UnexpectedError(
            f"fields of a network expected, found the unknown {shown(unknown[0])}", where=file
        )
    layers = _inputs(network, file)
    for message in network.fields.get("layer", []):
        if not isinstance(message, Message):
            raise UnexpectedError("layer: a message expected", where=f"{file}, line {message.line}")
        layer = _layer(message, file)
        if _in_prediction(layer):
            layers.append(layer)
    if not layers:
        raise UnexpectedError("a network of Caffe's, with layers, expected, found none", where=file)
    names: set[str] = set()
    for layer in layers:
        if layer.name in names:
            raise UnexpectedError("a name of its own expected for each layer", where=layer.place)
        names.add(layer.name)
    return tuple(layers)


def _layer(message: Message, file: str) -> Layer:
    bare = Layer(file, "", "", (), (), message)
    return Layer(
        file=file,
        name=bare.value(message, "name", TEXT, ""),
        type=bare.value(message, "type", TEXT, ""),
        bottoms=tuple(bare.values(message, "bottom", TEXT)),
        tops=tuple(bare.values(message, "top", TEXT)),
        message=message,
    )


def _inputs(network: Message, file: str) -> list[Layer]:
    """Return the input of a network that is written without a layer of its own."""
    bare = Layer(file, "", "", (), (), network)
    names = bare.values(network, "input", TEXT)
    if not names:
        return []
    shapes = network.fields.get("input_shape", [])
    if shapes and "input_dim" in network.fields:
        raise UnexpectedError("either input_dim or input_shape expected, found both", where=file)
    if "input_dim" in network.fields:
        shapes = [Message(network.line, {"dim": network.fields["input_dim"]})]
    message = Message(network.line, {"input_param": [Message(network.line, {"shape": shapes})]})
    return [Layer(file, "input", INPUT, (), tuple(names), message)]


def _in_prediction(layer: Layer) -> bool:
    """Tell whether a layer is there in the phase TEST, by its `include` and `exclude`."""
    phases: Mapping[str, list[str]] = {"include": [], "exclude": []}
    for name, found in phases.items():
        for rule in layer.message.fields.get(name, []):
            if not isinstance(rule, Message) or rule.fields.keys() != {"phase"}:
                raise RefusedError(
                    f"{layer.place}: {name} by phase expected, found another rule; a network "
                    "without it (deploy.prototxt) can be converted"
                )
            found.append(layer.value(rule, "phase", SYMBOL, ""))
    kept = "TEST" in phases["include"] or not phases["include"]
    return kept and "TEST" not in phases["exclude"]
