"""The network in a file: wherever it is wrapped, and what is said where there is none, or two."""

from collections.abc import Callable
from typing import Any

import pytest

from convert.source.errors import NoNetworkError, RefusedError, StructureError
from convert.torch7 import file as t7
from convert.torch7.tree import Module, find_network
from tests.support.lua_nets import at, children, net
from tests.support.t7_writer import Object, Pairs, dumps, tensor


def find(root: Any) -> Module:
    return find_network(t7.loads(dumps(root)).root)


def wrapper(*copies: Any, **fields: Any) -> Object:
    return Object("nn.DataParallelTable", {"modules": list(copies), "nGPU": len(copies), **fields})


def test_network_at_the_root_is_found() -> None:
    found = find(net())
    assert (found.path, found.type, len(found.modules)) == ("model", "nn.Sequential", 9)


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda model: {"epoch": 3, "model": model, "best": 7.5}, "file.model"),
        (lambda model: [1, model], "file[2]"),
        (wrapper, "model.modules[1]"),
        (lambda model: wrapper(model, net(1)), "model.modules[1]"),
        (lambda model: {"net": wrapper(model)}, "file.net.modules[1]"),
        (lambda model: wrapper(wrapper(model)), "model.modules[1].modules[1]"),
        (
            lambda model: {"model": model, "criterion": Object("nn.CrossEntropyCriterion")},
            "file.model",
        ),
        (lambda model: Pairs([("model", model), ("best", model)]), "file.model"),
        (lambda model: {"model": model, "rng": tensor([1.0])}, "file.model"),
        (lambda model: {"model": model, "log": Object("optim.Logger")}, "file.model"),
        (lambda model: {"state": {"model": model}, "epoch": 3}, "file.state.model"),
        (lambda model: {"my nets": [{"net": model}]}, 'file["my nets"][1].net'),
        (lambda model: Object("my.Trainer", {"net": model}), "file.net"),
    ],
    ids=[
        "table",
        "list",
        "wrapper",
        "two copies",
        "wrapper in a table",
        "wrapper in a wrapper",
        "beside its loss",
        "twice in a table",
        "beside a tensor",
        "beside a logger",
        "two tables down",
        "list of tables",
        "object of a class of its own",
    ],
)
def test_wrapped_network_is_found(wrap: Callable[[Object], Any], path: str) -> None:
    found = find(wrap(net()))
    assert (found.path, found.type) == (path, "nn.Sequential")


def test_place_names_path_class_and_byte() -> None:
    data = dumps(net())
    first = find_network(t7.loads(data).root).modules[0]
    assert first.place == f"model.modules[1] (cudnn.SpatialConvolution @ byte {first.offset})"
    assert data[first.offset + 15 :].startswith(b"\x18\0\0\0cudnn.SpatialConvolution")


def test_children_are_in_the_order_of_their_numbers() -> None:
    model = Object("nn.Sequential", {"modules": Pairs([(2, Object("b.b")), (1, Object("a.a"))])})
    assert [module.type for module in find(model).modules] == ["a.a", "b.b"]


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (
            {"modelFile": "model_12.t7", "epoch": 12},
            "it only names other files; convert model_12.t7 instead",
        ),
        ({"learningRate": 0.1, "dfdx": tensor([1.0])}, "it holds a table of dfdx, learningRate"),
        ({}, "it holds a table of nothing"),
        (None, "it holds nil"),
        (3.5, "it holds 3.5"),
        (tensor([1.0]), "it holds a torch.FloatTensor"),
        (Object("tds.Hash"), "it holds an object of class tds.Hash"),
        (
            Object("nn.CrossEntropyCriterion"),
            "it holds an object of class nn.CrossEntropyCriterion",
        ),
        (wrapper(), "it holds an object of class nn.DataParallelTable"),
        ({"k" * 999: 1}, f"it holds a table of {'k' * 40}"),
        ({"s": {"state": {}}}, "it holds a table of s"),
    ],
    ids=[
        "pointer",
        "optimizer",
        "empty table",
        "nil",
        "number",
        "tensor",
        "object",
        "loss",
        "empty wrapper",
        "long key",
        "deeper table",
    ],
)
def test_file_without_a_network_says_what_it_holds(root: Any, message: str) -> None:
    with pytest.raises(NoNetworkError) as caught:
        find(root)
    assert str(caught.value) == f"no network in this file: {message}"


OPTIMIZER_STATE = (
    "it holds a table of dampening, dfdx, evalCounter, learningRate, learningRateDecay, "
    "momentum, nesterov, weightDecay"
)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("latest", "it only names other files; convert model_12.t7 instead"),
        ("optimState_12", OPTIMIZER_STATE),
    ],
)
def test_golden_file_without_a_network_says_what_it_holds(
    golden: Callable[[str], Any], name: str, message: str
) -> None:
    with pytest.raises(NoNetworkError) as caught:
        find_network(t7.load(golden(name).path).root)
    assert str(caught.value) == f"no network in this file: {message}"


def test_two_networks_are_refused_by_name() -> None:
    with pytest.raises(NoNetworkError, match=r"one network expected, found 2: file\.a, file\.b"):
        find({"a": net(), "b": net(1)})


def test_two_networks_under_names_that_read_alike_are_refused() -> None:
    with pytest.raises(NoNetworkError, match=r"found 2: file\[\"1\"\], file\[1\]"):
        find(Pairs([("1", net()), (1, net(1))]))


@pytest.mark.parametrize("place", ["b", "file.b", "c.best", "file.c.best"])
def test_one_of_several_networks_is_taken_by_its_place(place: str) -> None:
    root = t7.loads(dumps({"a": net(), "b": net(1), "c": {"best": net(2)}})).root
    assert find_network(root, at=place).path == f"file.{place.removeprefix('file.')}"


def test_place_without_a_network_is_refused_with_those_that_there_are() -> None:
    root = t7.loads(dumps({"a": net(), "b": net(1)})).root
    with pytest.raises(
        NoNetworkError, match=r"one network at x expected, found 0; the places are file\.a, f"
    ):
        find_network(root, at="x")


def test_network_far_below_is_named_by_the_end_of_its_place() -> None:
    value: Any = {"net": Object("nn.Sequential")}
    for _ in range(150):
        value = {"next": value}
    assert find(value).path == "..." + ".next" * 49 + ".net"


def test_module_at_two_places_is_refused() -> None:
    model = net(counts=(1, 2, 1))
    children(at(model, 5))[1] = at(model, 5, 1)
    with pytest.raises(
        StructureError, match=r"model\.modules\[5\]\.modules\[2\] .*stands at another place"
    ):
        find(model)


def test_module_inside_itself_is_refused() -> None:
    model = net()
    children(at(model, 5)).append(model)
    with pytest.raises(StructureError, match="stands at another place"):
        find(model)


def test_wrapper_inside_itself_is_refused() -> None:
    outer = wrapper()
    outer.fields["modules"].append(outer)
    with pytest.raises(NoNetworkError):
        find(outer)


def test_wrappers_inside_each_other_are_refused() -> None:
    outer, inner = wrapper(), wrapper()
    outer.fields["modules"].append({"inner": inner})
    inner.fields["modules"].append({"outer": outer})
    with pytest.raises(NoNetworkError):
        find(outer)


@pytest.mark.parametrize("child", [None, 3, "text", [], tensor([1.0])])
def test_child_that_is_no_module_is_refused(child: Any) -> None:
    model = net()
    children(model)[1] = child
    with pytest.raises(RefusedError, match="model"):
        find(model)


@pytest.mark.parametrize("fields", [None, 1.0, "text"])
def test_module_without_fields_is_refused(fields: Any) -> None:
    model = net()
    at(model, 3).fields = fields
    with pytest.raises(StructureError, match=r"model\.modules\[3\] .*has no fields"):
        find(model)


@pytest.mark.parametrize("key", [11, 0, 2.5, "extra", True], ids=repr)
def test_module_outside_the_sequence_is_refused(key: Any) -> None:
    """Lua's own length of such a table is anybody's guess."""
    model = net()
    pairs: list[tuple[Any, Any]] = list(enumerate(children(model), 1))
    model.fields["modules"] = Pairs([*pairs, (key, Object("cudnn.ReLU"))])
    with pytest.raises(StructureError, match=r"model .*its modules are not numbered from 1 to 10"):
        find(model)


def test_modules_far_too_deep_inside_each_other_are_refused_by_place() -> None:
    model = Object("nn.Sequential", {"modules": [Object("nn.Identity", {})]})
    for _ in range(15):
        model = Object("nn.Sequential", {"modules": [model]})
    assert len(list(find(model).walk())) == 17
    with pytest.raises(StructureError, match="modules more than 16 deep"):
        find(Object("nn.Sequential", {"modules": [model]}))
