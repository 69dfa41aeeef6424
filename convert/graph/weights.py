"""Turns the arrays of matched operators into the tensors of layers: checks and folds them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from convert.graph.expected import ExpectedOperator
from convert.graph.operators import InputNorm, Kind, Operator, counted_changes
from convert.source.arrays import matched_arrays
from convert.source.errors import WeightError
from convert.source.source import NO_COUNTER, Array
from resnext.layout import BatchNorm, Convolution, Linear, Shape

EPS: Final = 1e-5  # of our batch norms, as of Torch7's

# Our name of a batch norm's tensor -> the operator's.
NORM_FIELDS: Final = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "mean",
    "running_var": "variance",
}


@dataclass(slots=True)
class Tensors:
    """A network's tensors by name, and how many were changed in each way.

    Attributes:
        changes: words -> how many times.
        computed: the names of those that are not in the file bit for bit -> the rules, in words.
    """

    arrays: dict[str, Array]
    changes: Counter[str] = field(default_factory=Counter)
    computed: dict[str, str] = field(default_factory=dict)

    def change(self, name: str, array: Array, rule: str) -> None:
        """Replace a tensor by what a rule gives, and count that."""
        self.arrays[name] = array
        self.changes[rule] += 1
        self.follow(name, rule)

    def follow(self, name: str, rule: str) -> None:
        """Note that a tensor was computed by a rule, behind those that it followed before."""
        before = self.computed.get(name)
        self.computed[name] = f"{before}; {rule}" if before else rule

    def conversions(self) -> tuple[str, ...]:
        """Return a text for each kind of change."""
        return counted_changes(self.changes)


def layer_tensors(expected: Sequence[ExpectedOperator], found: Sequence[Operator]) -> Tensors:
    """Return the network's tensors by name.

    Args:
        expected: the operators of the network.
        found: the file's, one for each.

    Raises:
        WeightError: an array is missing, misshapen, unexpected, not finite or impossible.
    """
    wanted: dict[str, tuple[str, Shape]] = {}
    arrays: dict[str, Array] = {}
    rules: dict[str, str] = {}
    for row, operator in zip(expected, found, strict=True):
        if row.layer is None:
            continue
        fields = NORM_FIELDS if isinstance(row.layer, BatchNorm) else {"weight": "weight"}
        fields = {**fields, "bias": "bias"} if isinstance(row.layer, Linear) else fields
        for name, shape in row.layer.tensors().items():
            if (theirs := fields.get(name.rsplit(".", 1)[1])) is not None:
                wanted[name] = (f"{operator.place}: {theirs}", shape)
        if isinstance(row.layer, Convolution) and "bias" in operator.arrays:
            wanted[f"{row.layer.name}.bias"] = (f"{operator.place}: bias", (row.layer.outputs,))
        arrays |= {f"{operator.place}: {key}": array for key, array in operator.arrays.items()}
        rules |= {f"{operator.place}: {key}": rule for key, rule in operator.computed.items()}
    tensors = Tensors(matched_arrays(wanted, arrays))
    tensors.computed |= {n: rules[theirs] for n, (theirs, _) in wanted.items() if theirs in rules}
    for at, (row, operator) in enumerate(zip(expected, found, strict=True)):
        if isinstance(row.layer, BatchNorm):
            _convert_norm(tensors, row.layer, operator)
            before = expected[row.inputs[0]].layer
            if isinstance(before, Convolution):
                _fold_bias(tensors, before, row.layer, found[at])
    return tensors


def _convert_norm(tensors: Tensors, layer: BatchNorm, operator: Operator) -> None:
    """Fix gamma, if the file says so, and express the variance by our eps."""
    arrays = tensors.arrays
    arrays[f"{layer.name}.num_batches_tracked"] = np.zeros((), np.int64)
    tensors.follow(f"{layer.name}.num_batches_tracked", NO_COUNTER)
    if operator.settings["fixed_gamma"]:
        tensors.change(
            f"{layer.name}.weight",
            np.ones(layer.width, np.float32),
            "gamma of a batch norm counts as 1, as fix_gamma says",
        )
    eps = operator.settings["eps"]
    assert isinstance(eps, float)
    if eps == EPS:
        return
    name = f"{layer.name}.running_var"
    # The same quotient: variance + eps is what the arithmetic uses.
    variance = arrays[name].astype(np.float64) + (eps - EPS)
    if np.less(variance, 0).any():
        raise WeightError(
            f"{operator.place}: a variance that is not below {EPS - eps:.3g} expected, as its eps "
            f"{eps:.3g} is below {EPS:g}, found {variance.min() - (eps - EPS):.3g}"
        )
    tensors.change(
        name,
        _as_at_least_float32(variance, arrays[name], operator),
        f"variance of a batch norm, whose eps is {eps:g} and not {EPS:g}, changed by "
        f"{eps - EPS:g}: the sum is the same",
    )


def _fold_bias(
    tensors: Tensors, convolution: Convolution, norm: BatchNorm, operator: Operator
) -> None:
    """Subtract a convolution's bias, if it has one, from the mean of the batch norm behind it."""
    bias = tensors.arrays.pop(f"{convolution.name}.bias", None)
    if bias is None:
        return
    name = f"{norm.name}.running_mean"
    folded = np.subtract(tensors.arrays[name], bias, dtype=np.float64)
    tensors.change(
        name,
        _as_at_least_float32(folded, tensors.arrays[name], operator),
        "bias of a convolution folded into the batch norm behind it",
    )


def _as_at_least_float32(values: Array, before: Array, operator: Operator) -> Array:
    """Return computed values in the type that was stored; half precision would round once more."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.promote_types(before.dtype, np.float32))
    if not np.isfinite(rounded).all():
        raise WeightError(f"{operator.place}: a value too large to be converted")
    return rounded


def input_norm(operator: Operator) -> InputNorm:
    """Return what the batch norm of the input computes.

    Its shift cannot be folded into the first convolution, which pads with zeros.

    Raises:
        WeightError: an array is missing, misshapen or not finite, or a channel is multiplied by
            zero.
    """
    assert operator.kind is Kind.NORM
    shape: Shape = (3,)
    wanted = {
        f"input.{ours}": (f"{operator.place}: {theirs}", shape)
        for ours, theirs in NORM_FIELDS.items()
    }
    found = {f"{operator.place}: {name}": array for name, array in operator.arrays.items()}
    arrays = {
        name.removeprefix("input."): array.astype(np.float64)
        for name, array in matched_arrays(wanted, found).items()
    }
    eps = operator.settings["eps"]
    assert isinstance(eps, float)
    gamma = np.ones(3) if operator.settings["fixed_gamma"] else arrays["weight"]
    total = arrays["running_var"] + eps
    if not gamma.all() or np.less_equal(total, 0).any():
        raise WeightError(
            f"{operator.place}: channels of the input that count, and variances above zero, "
            f"expected, found gamma {gamma.tolist()} and variance + eps {total.tolist()}"
        )
    root = np.sqrt(total)
    std = root / gamma
    # The batch norm is x -> gamma * ((x - mean) / root) + beta.
    return InputNorm(arrays["running_mean"] - arrays["bias"] * std, std)
