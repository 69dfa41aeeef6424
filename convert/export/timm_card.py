"""The README.md of timm's folder: what the Hub reads of it, and how to load it."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Final

from resnext.checkpoint import Checkpoint
from resnext.errors import CardError
from resnext.fields import WrittenFloat
from resnext.layout import layout
from resnext.model_card.hub_names import ACCURACIES, IMAGENET_1K, LICENCES, TASK
from resnext.model_card.measured import is_measured, with_table
from resnext.model_card.model_index import results_of
from resnext.model_card.readme import README, Readme
from resnext.model_card.seal import is_sealed, sealed
from resnext.model_card.sources import address_of
from resnext.model_card.yaml_lines import yaml_lines
from resnext.pages.markdown import literal, table
from resnext.preprocessing import Pipeline
from resnext.published import Claim, Row, published

LOADING: Final = """\
```python
import resnext, timm

folder = "."  # this folder; huggingface_hub.snapshot_download("OWNER/NAME") returns that of a copy
network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
checkpoint = resnext.Checkpoint.load(f"{folder}/model.safetensors")
transform = resnext.Transform(checkpoint.preprocessing)  # bytes or a picture -> (3, H, W) float32
```"""


def timm_card(checkpoint: Checkpoint) -> str:
    """Return the text of README.md: front matter for the Hub, then a page for people."""
    row = _row(checkpoint)
    values = {name: value for name, value in _metadata(checkpoint, row).items() if value}
    matter = "\n".join(yaml_lines(values))
    body = "\n\n".join(part for part in _parts(checkpoint, row) if part)
    text = with_table(f"---\n{matter}\n---\n\n{body}\n", (), "\n")
    return sealed(f"{text}\n", version("resnext"))


def reason_to_keep(folder: Path) -> str | None:
    """Return why a folder is not replaced: its card holds what cannot be written again; or None.

    Raises:
        OSError: the card cannot be read.
    """
    path = folder / README
    if not path.exists():
        return None
    try:
        readme = Readme.read(path)
        measured = any(map(is_measured, results_of(readme, "")))
    except CardError as error:
        return str(error)
    if not is_sealed(readme.text):
        return f"{path} has been changed since it was written"
    return f"{path} holds what resnext-validate measured" if measured else None


def _row(checkpoint: Checkpoint) -> Row | None:
    """Return the published network that a checkpoint is; None for one that was trained on."""
    if checkpoint.training is not None:
        return None
    rows = {row.name: row for row in published()}
    return rows.get(checkpoint.provenance.published_name or "")


def _metadata(checkpoint: Checkpoint, row: Row | None) -> dict[str, object]:
    source = checkpoint.provenance
    base_file = {
        "name": source.source_file,
        "sha256": source.source_sha256,
        "bytes": source.source_bytes,
        "url": row.url if row else None,
    }
    family = "resnext" if checkpoint.spec.cardinality > 1 else "resnet"
    of_imagenet = _is_of_imagenet(checkpoint)
    results = [*_results(row)] if row and of_imagenet else []
    return {
        **_licence(source.licence),
        "library_name": "timm",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "timm", family],
        "datasets": [IMAGENET_1K["type"]] if of_imagenet else None,
        "base_file": {name: value for name, value in base_file.items() if value is not None},
        "model-index": [{"name": checkpoint.name, "results": results}] if results else None,
    }


def _licence(text: str | None) -> dict[str, object]:
    """Return the Hub's entries of a licence."""
    if text is None:
        return {}
    name = "-".join(text.lower().split())
    if name in LICENCES:
        return {"license": name}
    return {"license": "other", "license_name": text}


def _is_of_imagenet(checkpoint: Checkpoint) -> bool:
    return checkpoint.spec.classes == 1000 and checkpoint.wnids is not None


def _results(row: Row) -> Iterator[dict[str, object]]:
    """Yield the claims as the Hub's results, one for each source and protocol."""
    groups: dict[tuple[object, ...], list[Claim]] = {}
    for claim in row.claims:
        key = (claim.source, *_protocol(row, claim).items())
        groups.setdefault(key, []).append(claim)
    for claims in groups.values():
        source = claims[0].source
        address = address_of(source)
        yield {
            "task": dict(TASK),
            "dataset": dict(IMAGENET_1K),
            "metrics": [metric for claim in claims for metric in _metrics(row, claim)],
            **({"source": {"name": source, "url": address}} if address else {}),
        }


def _metrics(row: Row, claim: Claim) -> Iterator[dict[str, object]]:
    """Yield the metrics of a claim: what was printed, and where that is an error, the accuracy."""
    kind, best = ACCURACIES[claim.metric]
    facts = _protocol(row, claim)
    protocol: dict[str, object] = {"printed": claim.accuracy or claim.value, **facts}
    if claim.accuracy is None:
        yield {
            "type": str(claim.metric),
            "name": f"{best} error, as published",
            "value": WrittenFloat(claim.value),
            "args": protocol,
        }
    yield {
        "type": kind,
        "name": f"{best} accuracy, {'as published' if claim.accuracy else '100 minus the error'}",
        "value": WrittenFloat(claim.accuracy or _from_error(claim.value)),
        "args": protocol,
    }


def _from_error(value: str) -> str:
    """Return 100 minus an error, with as many digits as that was printed with."""
    digits = len(value.partition(".")[2])
    return f"{float(100 - Fraction(value)):.{digits}f}"


def _protocol(row: Row, claim: Claim) -> dict[str, object]:
    """Return how the number of a claim was measured, as far as that is known."""
    usual = row.preprocessing
    if claim.protocol is not None or usual is None:
        return {"protocol": claim.protocol or "unknown", "crops": claim.crops}
    pixels = claim.under(usual)
    facts = {
        "pipeline": str(pixels.pipeline),
        "interpolation": str(pixels.interpolation),
        "scale": claim.scale or pixels.scale,
        "crop": claim.crop or pixels.crop,
        "crops": claim.crops,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _parts(checkpoint: Checkpoint, row: Row | None) -> Iterator[str]:
    yield f"# {literal(checkpoint.name)}"
    yield _what(checkpoint)
    yield "## How it was converted and proven"
    yield _proof(checkpoint)
    yield "## How to load it, with the exact pixels"
    yield LOADING
    yield _pixels(checkpoint)
    if row is not None and row.claims:
        yield "## What was published of it"
        yield "\n".join(_claims(row, row.claims))
    yield "## What was measured of it"


def _what(checkpoint: Checkpoint) -> str:
    spec, source = checkpoint.spec, checkpoint.provenance
    parameters = layout(spec).parameters()
    licence = f" Licence of the weights: {literal(source.licence)}." if source.licence else ""
    stated = ""
    if source.stated:
        stated = " That it is this published network was stated at the conversion."
    return (
        f"{literal(spec.name)}, {parameters:,} parameters, {spec.classes} outputs; "
        f"{literal(checkpoint.history)}.{stated}{licence}"
    )


def _proof(checkpoint: Checkpoint) -> str:
    source = checkpoint.provenance
    lines = []
    if source.proof is not None and checkpoint.training is None:
        lines.append(
            "Its logits were compared in float64 with those of the original file's own modules, "
            f"computed one by one: they differ by at most {source.proof:.1e} of the largest logit."
        )
    elif checkpoint.training is None:
        lines.append("It was not compared with the original file's own modules.")
    else:
        lines.append("It was trained here, so there is no original that it is compared with.")
    if source.source_file and source.source_sha256:
        begun = "The training began with" if checkpoint.training else "The original file is"
        lines.append(
            f"{begun} {literal(source.source_file)}, sha256 {literal(source.source_sha256)}."
        )
    changes = [f"- {literal(text)}" for text in source.conversions]
    return "\n".join([" ".join(lines), *(["", *changes] if changes else [])])


def _pixels(checkpoint: Checkpoint) -> str:
    row = checkpoint.preprocessing
    assert row is not None, "timm's configuration needs it, and is made first"
    origin = f" ({checkpoint.origin})" if checkpoint.origin else ""
    text = f"Preprocessing: {row.describe()}{origin}."
    if row.pipeline is Pipeline.TORCH7:
        text += (
            " That is Torch7's bicubic scaling, which does not antialias. timm's own transform "
            "does, and gives the network other pixels; `resnext.Transform` gives it these, equal "
            "in every bit."
        )
    return text


def _claims(row: Row, claims: Sequence[Claim]) -> list[str]:
    cells = [
        (
            f"{ACCURACIES[claim.metric][1]} {'accuracy' if claim.accuracy else 'error'}",
            claim.accuracy or claim.value,
            str(claim.crops),
            f"{claim.images:,}",
            _linked(claim.source),
            ", ".join(
                f"{name} {value}"
                for name, value in _protocol(row, claim).items()
                if name != "crops"
            ),
        )
        for claim in claims
    ]
    headers = ("metric", "printed %", "crops", "images", "source", "pixels")
    return table(headers, cells, right=(1, 2, 3))


def _linked(source: str) -> str:
    address = address_of(source)
    return f"[{literal(source)}]({address})" if address else literal(source)
