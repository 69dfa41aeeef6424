"""Verifications in words, and as fields that JSON takes."""

import json
from dataclasses import replace
from math import inf, nan
from pathlib import Path

from convert.differences import TensorDifference
from convert.proof import Proof
from convert.verification import Checksum, Verification
from convert.verification_summary import verification_fields, verification_lines

GOOD = Verification(
    file=Path("x.safetensors"),
    original=Path("x.t7"),
    place="state.model",
    network="resnext_11_8x4d",
    checksums=(Checksum(file="x.t7", stated="ab12", found="ab12"),),
    kept=("conv1.weight", "fc.weight", "fc.bias"),
    computed={"bn1.running_mean": "bias folded", "a": "counter", "b": "counter", "c": "counter"}
    | {"d": "counter", "e": "counter"},
    proof=Proof(difference=3.2e-16, tolerance=1e-12, pictures=1),
)
DIFFERENCE = TensorDifference(
    name="fc.bias", expected="float32 (10,)", found="float32 (10,)", values=3, largest=0.25
)


def test_what_holds_is_said_line_by_line() -> None:
    assert list(verification_lines(GOOD)) == [
        "x.safetensors against x.t7 at state.model: resnext_11_8x4d",
        "  sha256 of x.t7: ab12, as stated",
        "  tensors: 3 of 3 as in the original, bit for bit",
        "    1 of 1 computed, as the rule gives them: bn1.running_mean",
        "      bias folded",
        "    5 of 5 computed, as the rule gives them: a, b, c and 2 more",
        "      counter",
        "  proven: float64 logits within 3.2e-16 of the original modules' (limit 1e-12)",
        "verified",
    ]


def test_what_does_not_hold_is_said_line_by_line() -> None:
    bad = replace(
        GOOD,
        place=None,
        checksums=(
            Checksum(file="x.t7", stated="ab12", found="cd34"),
            Checksum(file="x.json", stated=None, found="ef56"),
        ),
        uncounted=("a", "b"),
        computed={},
        differences=(
            DIFFERENCE,
            replace(DIFFERENCE, name="fc.weight", found="float64 (10,)", values=None, largest=None),
            replace(DIFFERENCE, name="conv1.weight", values=1),
            replace(DIFFERENCE, name="x"),
        ),
        preprocessing="mean 1 2 3 in place of 4 5 6",
        proof=Proof(difference=0.5, tolerance=1e-12, pictures=1),
    )
    assert list(verification_lines(bad)) == [
        "x.safetensors against x.t7: resnext_11_8x4d",
        "  sha256 of x.t7: ab12 stated, found cd34: not the file that was converted",
        "  sha256 of x.json: ef56; the file states none",
        "  tensors: 0 of 3 as in the original, bit for bit",
        "    2 counters of batches, which change no answer, not compared: the original has none",
        "  different: 4 tensors",
        "    fc.bias, float32 (10,): 3 values by up to 0.25",
        "    fc.weight: float32 (10,) expected, found float64 (10,)",
        "    conv1.weight, float32 (10,): 1 value by up to 0.25",
        "    and 1 more",
        "  preprocessing: not that of the original's graph: mean 1 2 3 in place of 4 5 6",
        "  not proven: float64 logits 5.0e-01 from the original modules' (limit 1e-12)",
        "not verified: the file is not what the original gives",
    ]


def test_another_architecture_leaves_tensors_and_logits_out() -> None:
    other = replace(
        GOOD, spec=("planes 64 expected, found 16",), kept=(), computed={}, proof=None, place=None
    )
    assert list(verification_lines(other))[2:] == [
        "  architecture: planes 64 expected, found 16",
        "not verified: the file is not what the original gives",
    ]


def test_fields_are_json_whatever_the_numbers_are() -> None:
    bad = replace(
        GOOD,
        differences=(replace(DIFFERENCE, largest=inf),),
        proof=Proof(difference=nan, tolerance=1e-12, pictures=1),
    )
    fields = json.loads(json.dumps(verification_fields(bad), allow_nan=False))
    assert fields["verified"] is False
    assert fields["sha256"] == [{"file": "x.t7", "stated": "ab12", "found": "ab12", "same": True}]
    assert fields["tensors"]["computed"]["counter"] == ["a", "b", "c", "d", "e"]
    assert fields["differences"][0]["largest"] is None
    assert (fields["proof"]["difference"], fields["proof"]["holds"]) == (None, False)
    assert verification_fields(GOOD)["verified"] is True
