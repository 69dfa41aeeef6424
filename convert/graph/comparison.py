"""A file's graph compared with the expected one, operator by operator, both ways."""

from collections.abc import Iterator, Sequence

from convert.graph.expected import ExpectedOperator
from convert.graph.operators import Graph, Kind, Operator
from convert.graph.recognition import find_fork
from convert.source.errors import StructureError, first_of
from resnext.fields import cut


def matched_operators(graph: Graph, expected: Sequence[ExpectedOperator]) -> tuple[Operator, ...]:
    """Return the file's operator for each of the expected ones.

    They are followed from the outputs to the inputs; names do not count.

    Raises:
        StructureError: one is of another kind, has another setting or takes another input; is
            missing; or is there and leads to no output. All are gathered, the first is named.
    """
    comparison = _GraphComparison(graph, expected)
    comparison.follow(_logits(graph))
    if not comparison.faults:
        comparison.find_strays()
    if comparison.faults:
        raise StructureError(
            f"{first_of(comparison.faults)}; no ResNeXt or ResNet of the family is built like "
            "this, and any other way to read it would be a guess: not converted"
        )
    return tuple(graph.operators[comparison.pairs[at]] for at, _ in enumerate(expected))


def _logits(graph: Graph) -> int:
    """Return the position of the logits: the output, or what a softmax at the end takes."""
    last = graph.operators[graph.output]
    return last.inputs[0] if last.kind is Kind.SOFTMAX else graph.output


class _GraphComparison:
    """Pairs of operators, expected -> found, and what is wrong with them."""

    def __init__(self, graph: Graph, expected: Sequence[ExpectedOperator]) -> None:
        self.graph, self.expected = graph, expected
        self.pairs: dict[int, int] = {}
        self.reached: set[int] = set()
        self.faults: list[str] = []

    def follow(self, logits: int) -> None:
        """Pair the operators from the logits to the input."""
        pending = [(len(self.expected) - 1, logits)]
        while pending:
            wanted, found = pending.pop()
            found = self._past_flatten(wanted, found)
            if wanted in self.pairs or found in self.reached:
                if self.pairs.get(wanted) != found:
                    place = self.graph.operators[found].place
                    self.faults.append(f"{place}: its output is used in an unexpected place")
                continue
            self.pairs[wanted] = found
            self.reached.add(found)
            if self._agree(wanted, found):
                pending += self._inputs(wanted, found)

    def find_strays(self) -> None:
        """Gather the operators that lead to no output of the network."""
        known = self.reached | {self.graph.output}
        self.faults += (
            f"{operator.place}: a {operator.kind} that does not lead to the logits"
            for at, operator in enumerate(self.graph.operators)
            if at not in known
        )

    def _past_flatten(self, wanted: int, found: int) -> int:
        """Return the pool in front of flattenings, which change nothing for the classifier."""
        if self.expected[wanted].kind is Kind.AVERAGE_POOL:
            while self.graph.operators[found].kind is Kind.FLATTEN:
                self.reached.add(found)
                [found] = self.graph.operators[found].inputs
        return found

    def _agree(self, wanted: int, found: int) -> bool:
        """Tell whether the two are of one kind; gather the settings that differ."""
        expected, operator = self.expected[wanted], self.graph.operators[found]
        if expected.kind is not operator.kind:
            self.faults.append(f"{operator.place}: {expected.kind} expected, found {operator.kind}")
            return False
        self.faults += _setting_faults(expected, operator)
        return len(expected.inputs) == len(operator.inputs)

    def _inputs(self, wanted: int, found: int) -> Iterator[tuple[int, int]]:
        """Yield the pairs of inputs; of an addition, the branch is paired with the branch."""
        inputs = self.graph.operators[found].inputs
        if self.expected[wanted].kind is Kind.ADD and find_fork(self.graph, found).first:
            inputs = inputs[::-1]
        return zip(self.expected[wanted].inputs, inputs, strict=True)


def _setting_faults(expected: ExpectedOperator, operator: Operator) -> Iterator[str]:
    for name, allowed in expected.settings.items():
        found = operator.settings[name]
        if found not in allowed:
            choices = " or ".join(sorted(_words(value) for value in allowed))
            yield f"{operator.place}: {name} {choices} expected, found {cut(_words(found))}"


def _words(value: object) -> str:
    """Return a setting as a person reads it; pairs of equal sides as one number."""
    match value:
        case None:
            return "the whole map"
        case (int(), int()):
            return str(value[0]) if value[0] == value[1] else f"{value[0]}x{value[1]}"
        case (kernel, stride, padding):
            return f"{_words(kernel)}, stride {_words(stride)}, padding {_words(padding)}"
        case _:
            return str(value)
