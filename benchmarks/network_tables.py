"""The tables of networks: those that were published, and those of one cost."""

from benchmarks.markdown import table
from resnext.layout import layout
from resnext.published import Metric, Row, original
from resnext.spec import Spec


def published_table() -> str:
    """Return every network of the release and of fb.resnet.torch with its claims as printed."""
    lines = []
    for row in original():
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
