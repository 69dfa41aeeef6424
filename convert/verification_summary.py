"""Verifications as the command prints them: lines for people, fields for JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from math import isfinite
from typing import Final

from convert.differences import TensorDifference
from convert.verification import Checksum, Verification
from resnext.fields import cut

# Names of tensors that follow one rule, and tensors that differ, shown in lines.
MOST_NAMES: Final = 3


def verification_lines(found: Verification) -> Iterator[str]:
    """Yield the lines that say what was compared and what came out."""
    place = f" at {cut(found.place)}" if found.place else ""
    yield f"{found.file} against {found.original}{place}: {found.network}"
    yield from (f"  {_checksum_words(each)}" for each in found.checksums)
    yield from (f"  architecture: {cut(text)}" for text in found.spec)
    if not found.spec:
        yield from (f"  {line}" for line in _tensor_lines(found))
    if found.preprocessing:
        yield f"  preprocessing: not that of the original's graph: {found.preprocessing}"
    if found.replaced:
        yield f"  note: a preprocessing of the user's: {found.replaced}"
    if found.proof:
        yield f"  {_proof_words(found)}"
    yield "verified" if found.holds else "not verified: the file is not what the original gives"


def _checksum_words(each: Checksum) -> str:
    if each.stated is None:
        return f"sha256 of {cut(each.file)}: {each.found}; the file states none"
    if each.holds:
        return f"sha256 of {cut(each.file)}: {each.found}, as stated"
    return (
        f"sha256 of {cut(each.file)}: {cut(each.stated)} stated, found {each.found}: not the file "
        "that was converted"
    )


def _tensor_lines(found: Verification) -> Iterator[str]:
    wrong = {each.name for each in found.differences}
    kept = sum(name not in wrong for name in found.kept)
    yield f"tensors: {kept:,} of {len(found.kept):,} as in the original, bit for bit"
    for rule, names in _by_rule(found.computed).items():
        same = sum(name not in wrong for name in names)
        yield f"  {same:,} of {len(names):,} computed, as the rule gives them: {_listed(names)}"
        yield f"    {rule}"
    if found.uncounted:
        yield (
            f"  {len(found.uncounted):,} counters of batches, which change no answer, not "
            "compared: the original has none"
        )
    if found.differences:
        count = len(found.differences)
        yield f"different: {count:,} {'tensor' if count == 1 else 'tensors'}"
        yield from (f"  {_difference_words(each)}" for each in found.differences[:MOST_NAMES])
        if count > MOST_NAMES:
            yield f"  and {count - MOST_NAMES:,} more"


def _by_rule(computed: Mapping[str, str]) -> dict[str, list[str]]:
    rules: dict[str, list[str]] = {}
    for name, rule in computed.items():
        rules.setdefault(rule, []).append(name)
    return rules


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _difference_words(each: TensorDifference) -> str:
    if each.values is None:
        return f"{each.name}: {each.expected} expected, found {each.found}"
    values = "1 value" if each.values == 1 else f"{each.values:,} values"
    return f"{each.name}, {each.expected}: {values} by up to {each.largest:.3g}"


def _proof_words(found: Verification) -> str:
    proof = found.proof
    assert proof is not None
    if not proof.holds:
        return (
            f"not proven: float64 logits {proof.difference:.1e} from the original modules' "
            f"(limit {proof.tolerance:.0e})"
        )
    if not found.tells:
        return "not proven: the logits are the same for every picture"
    return f"proven: {proof.describe()}"


def verification_fields(found: Verification) -> dict[str, object]:
    """Return a verification as plain values."""
    proof = found.proof
    return {
        "file": str(found.file),
        "original": str(found.original),
        "place": found.place,
        "network": found.network,
        "verified": found.holds,
        "sha256": [{**asdict(each), "same": each.stated == each.found} for each in found.checksums],
        "architecture": list(found.spec),
        "tensors": {
            "kept": list(found.kept),
            "computed": _by_rule(found.computed),
            "not_compared": list(found.uncounted),
        },
        "differences": [
            {**asdict(each), "largest": _finite(each.largest)} for each in found.differences
        ],
        "preprocessing": found.preprocessing,
        "replaced_preprocessing": found.replaced,
        "proof": {
            **asdict(proof),
            "difference": _finite(proof.difference),
            "holds": proof.holds and found.tells,
        }
        if proof
        else None,
    }


def _finite(value: float | None) -> float | None:
    """Return a number, or None for one that JSON does not have."""
    return value if value is not None and isfinite(value) else None
