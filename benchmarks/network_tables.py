"""The tables of networks: those that were published, and those of one cost."""

from benchmarks.markdown import table
from resnext.layout import layout
from resnext.published import UNKNOWN, Claim, Metric, Row, by_source
from resnext.spec import Spec


def published_table() -> str:
    """Return every network of the release and of fb.resnet.torch with its claims as printed."""
    lines = []
    for row in by_source()["original"]:
        rows = row.spec and layout(row.spec)
        if not rows or not row.claims:
            continue
        lines.append(
            (
                f"`{row.name}`",
                f"{rows.parameters() / 1e6:.3f}",
                f"{rows.multiply_adds(224) / 1e9:.3f}"
                + (f" (printed: {row.multiply_adds})" if row.multiply_adds else ""),
                _printed(row, "ResNeXt README", 1),
                _printed(row, "fb.resnet.torch README", 1),
                _printed(row, "fb.resnet.torch README", 10),
            )
        )
    header = (
        "network",
        "parameters, M",
        "multiply-adds, G",
        "ResNeXt README",
        "fb.resnet.torch README, 1 crop",
        "10 crops",
    )
    return table(header, lines)


def _printed(row: Row, source: str, crops: int) -> str:
    values = {
        claim.metric: claim.value
        for claim in row.claims
        if (claim.source, claim.crops, claim.crop) == (source, crops, None)
    }
    return " / ".join(values[metric] for metric in Metric if metric in values)


def claims_table(source: str) -> str:
    """Return the claims of one of the built-in tables, each as it was printed.

    Args:
        source: what the table is called; see `by_source`.
    """
    header = ("network", "printed, top-1 / top-5", "measured with", "source")
    lines = []
    for row in by_source()[source]:
        ways: dict[tuple[str, ...], dict[Metric, Claim]] = {}
        for claim in row.claims:
            ways.setdefault((_way(row, claim), claim.source), {})[claim.metric] = claim
        for (way, name), found in ways.items():
            claims = [found[metric] for metric in Metric if metric in found]
            kind = "accuracy" if claims[0].accuracy else "error"
            values = " / ".join(claim.accuracy or claim.value for claim in claims)
            lines.append((f"`{row.name}`", f"{kind} {values}", way, name))
    return table(header, lines)


def _way(row: Row, claim: Claim) -> str:
    """Return the protocol of a claim in words."""
    usual, crops = row.preprocessing, ["10 crops"] if claim.crops == 10 else []
    if claim.protocol == UNKNOWN:
        return "unknown"
    assert usual is not None, "a claim that is judged has a protocol"
    way = claim.under(usual)
    crop = claim.crop or usual.crop
    scale = claim.scale or (usual.scale if crop == usual.crop else None)
    sides = [f"scale {scale}"] if scale else []
    return ", ".join([f"{way.pipeline} {way.interpolation}", *sides, f"crop {crop}", *crops])


def files_table(source: str) -> str:
    """Return the files of one of the built-in tables, with what their sha256 begins with."""
    header = ("network", "architecture", "file", "sha256", "licence")
    lines = [
        (
            f"`{row.name}`",
            f"`{row.spec.name}`" if row.spec else "",
            f"[`{row.file}`]({row.url})" if row.url else f"`{row.file}`",
            row.sha256 or "",
            row.licence or "",
        )
        for row in by_source()[source]
        if row.file
    ]
    return table(header, lines)


# Base width and cardinality of every ResNeXt-50 that costs what ResNet-50 costs (the "1x
# complexity" table of the release).
ONE_X_COMPLEXITY = ((64, 1), (40, 2), (24, 4), (14, 8), (4, 32))


def complexity_table() -> str:
    """Return the ResNeXt-50s that cost what ResNet-50 costs."""
    specs = [
        Spec(blocks=(3, 4, 6, 3), cardinality=cardinality, base_width=base_width)
        for base_width, cardinality in ONE_X_COMPLEXITY
    ]
    lines = [
        (
            f"{spec.base_width}",
            f"{spec.cardinality}",
            f"`{spec.name}`",
            f"{layout(spec).parameters() / 1e6:.3f}",
            f"{layout(spec).multiply_adds(224) / 1e9:.3f}",
        )
        for spec in specs
    ]
    header = ("base width", "cardinality", "name", "parameters, M", "multiply-adds, G")
    return table(header, lines)
