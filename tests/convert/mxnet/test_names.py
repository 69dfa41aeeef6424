"""The names of MXNet's pairs of files."""

import pytest

from convert.mxnet.names import epoch, graph_name


@pytest.mark.parametrize(
    ("name", "graph", "number"),
    [
        ("resnext-101-64x4d-0000.params", "resnext-101-64x4d-symbol.json", 0),
        ("x-0042.params", "x-symbol.json", 42),
        ("x-12345.params", "x-symbol.json", 12345),
        ("x.params", "x-symbol.json", None),
        ("x-042.params", "x-042-symbol.json", None),
        ("x-0042.pth", None, None),
        (".params", None, None),
    ],
)
def test_name_of_the_arrays_states_graph_and_epoch(
    name: str, graph: str | None, number: int | None
) -> None:
    assert (graph_name(name), epoch(name)) == (graph, number)
