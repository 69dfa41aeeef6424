"""The published table, claim by claim as printed, and tables of users that are wrong."""

import re
import time
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from resnext.errors import PublishedError
from resnext.layout import layout
from resnext.preprocessing import Pipeline, Preprocessing, read_preprocessing
from resnext.published import Claim, Metric, by_source, published, published_row, read_table
from resnext.spec import Block, Norm, Spec, StemPool
from tests.support.golden import ROOT

ROWS = {row.name: row for row in by_source()["original"]}
RESNEXT, RESNET = "ResNeXt README", "fb.resnet.torch README"

# (network, source, crops, crop, top-1 error, top-5 error) as the two READMEs print them
CLAIMS = [
    ("resnext_50_32x4d", RESNEXT, 1, None, "22.2", None),
    ("resnext_101_32x4d", RESNEXT, 1, None, "21.2", None),
    ("resnext_101_64x4d", RESNEXT, 1, None, "20.4", None),
    ("resnet_50", RESNEXT, 1, None, "23.9", None),
    ("resnet_101", RESNEXT, 1, None, "22.0", None),
    ("resnet_18", RESNET, 1, None, "30.43", "10.76"),
    ("resnet_18", RESNET, 10, None, "28.22", "9.42"),
    ("resnet_34", RESNET, 1, None, "26.73", "8.74"),
    ("resnet_34", RESNET, 10, None, "24.76", "7.35"),
    ("resnet_50", RESNET, 1, None, "24.01", "7.02"),
    ("resnet_50", RESNET, 10, None, "22.24", "6.08"),
    ("resnet_101", RESNET, 1, None, "22.44", "6.21"),
    ("resnet_101", RESNET, 10, None, "21.08", "5.35"),
    ("resnet_152", RESNET, 1, None, "22.16", "6.16"),
    ("resnet_152", RESNET, 10, None, "20.69", "5.21"),
    ("resnet_200", RESNET, 1, None, "21.66", "5.79"),
    ("resnet_200", RESNET, 10, None, "20.15", "4.93"),
    ("resnet_200", RESNET, 1, 320, "20.1", "4.8"),
]


def test_claims_are_those_of_the_two_readmes_and_no_others() -> None:
    expected = {
        (network, source, crops, crop, metric, value)
        for network, source, crops, crop, top1, top5 in CLAIMS
        for metric, value in (("top1_error", top1), ("top5_error", top5))
        if value is not None
    }
    found = [
        (row.name, claim.source, claim.crops, claim.crop, str(claim.metric), claim.value)
        for row in by_source()["original"]
        for claim in row.claims
    ]
    assert set(found) == expected
    assert len(found) == len(expected)


def test_claims_are_about_the_whole_validation_set() -> None:
    assert {claim.images for row in by_source()["original"] for claim in row.claims} == {50000}


@pytest.mark.parametrize(
    ("name", "size", "printed"),
    [
        ("resnext_50_32x4d", 200_631_353, "~4.1"),
        ("resnext_101_32x4d", 354_222_426, "~7.8"),
        ("resnext_101_64x4d", 668_703_066, "~15.6"),
    ],
)
def test_resnexts_have_file_address_size_and_licence(name: str, size: int, printed: str) -> None:
    row = ROWS[name]
    assert (row.file, row.bytes, row.multiply_adds) == (f"{name}.t7", size, printed)
    assert row.url == f"https://dl.fbaipublicfiles.com/resnext/imagenet_models/{name}.t7"
    assert row.licence == "CC BY-NC 4.0"


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152, 200])
def test_resnets_have_file_and_address(depth: int) -> None:
    row = ROWS[f"resnet_{depth}"]
    assert row.file == f"resnet-{depth}.t7"
    assert row.url == f"https://d2j0dndfm35trm.cloudfront.net/resnet-{depth}.t7"


RESNET_50 = Spec(blocks=(3, 4, 6, 3))


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("resnext_50_32x4d", replace(RESNET_50, cardinality=32, base_width=4)),
        (
            "resnext_101_64x4d",
            replace(RESNET_50, blocks=(3, 4, 23, 3), cardinality=64, base_width=4),
        ),
        (
            "resnext_152_32x4d",
            replace(RESNET_50, blocks=(3, 8, 36, 3), cardinality=32, base_width=4),
        ),
        ("resnet_34", replace(RESNET_50, block=Block.BASIC)),
        ("resnet_50", replace(RESNET_50, norm=Norm.AFTER_ADD)),
        ("resnet_101", replace(RESNET_50, blocks=(3, 4, 23, 3))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_row_has_the_architecture_of_its_name(name: str, spec: Spec) -> None:
    assert ROWS[name].spec == spec


def test_rows_are_named_as_their_specs_are() -> None:
    assert {row.name: row.spec.name for row in by_source()["original"] if row.spec} == {
        name: name for name in ROWS
    }


def test_all_networks_see_the_pictures_of_the_original_pipeline() -> None:
    assert {row.preprocessing for row in by_source()["original"]} == {
        Preprocessing(scale=256, crop=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    }


# The tables of other sources: (top-1, top-5) accuracy as printed, and the protocol

TORCHVISION, TIMM = "torchvision resnet.py", "timm results-imagenet.csv"
V1, V2 = ("pil", "bilinear", 256, 224), ("pil", "bilinear", 232, 224)
CATALOGUE = "model-zoo README of KeyKy, of cypw's model"
OTHERS = [
    ("resnext50_32x4d.tv_in1k", TORCHVISION, "77.618", "93.698", V1),
    ("resnext50_32x4d.tv_in1k", TIMM, "77.618", "93.696", V1),
    ("resnext50_32x4d.tv2_in1k", TORCHVISION, "81.198", "95.340", V2),
    ("resnext50_32x4d.tv2_in1k", TIMM, "81.182", "95.340", V2),
    ("resnext101_32x8d.tv_in1k", TORCHVISION, "79.312", "94.526", V1),
    ("resnext101_32x8d.tv2_in1k", TORCHVISION, "82.834", "96.228", V2),
    ("resnext101_64x4d.tv_in1k", TORCHVISION, "83.246", "96.454", V2),
    ("resnext101_64x4d.tv_in1k", TIMM, "82.992", "96.244", V1),
    ("resnext101_32x8d.fb_wsl_ig1b_ft_in1k", "WSL-Images README", "82.2", "96.4", None),
    ("resnext101_32x8d.fb_wsl_ig1b_ft_in1k", TIMM, "82.698", "96.632", V1),
    ("resnext101_32x16d.fb_wsl_ig1b_ft_in1k", "WSL-Images README", "84.2", "97.2", None),
    ("resnext101_32x32d.fb_wsl_ig1b_ft_in1k", "WSL-Images README", "85.1", "97.5", None),
    ("resnext101_32x48d.fb_wsl_ig1b_ft_in1k", "WSL-Images README", "85.4", "97.6", None),
    ("resnext50_32x4d.fb_ssl_yfcc100m_ft_in1k", TIMM, "80.338", "95.398", V1),
    ("resnext101_32x16d.fb_swsl_ig1b_ft_in1k", TIMM, "83.336", "96.846", V1),
    ("resnext50_32x4d.a1h_in1k", TIMM, "82.014", "95.934", ("pil", "bicubic", 288, 288)),
    ("resnext50_32x4d.a3_in1k", TIMM, "79.268", "94.306", ("pil", "bicubic", 235, 224)),
    ("resnext50_32x4d.ra_in1k", TIMM, "80.698", "95.390", ("pil", "bicubic", 303, 288)),
    ("resnext101_64x4d.c1_in1k", TIMM, "83.156", "96.374", ("pil", "bicubic", 288, 288)),
    ("resnext50_32x4d.gluon_in1k", TIMM, "79.360", "94.430", ("pil", "bicubic", 256, 224)),
    ("resnext101_32x4d.cadene", "pretrained-models.pytorch README", "78.188", "93.886", V1),
    ("resnext101_64x4d.cadene", "pretrained-models.pytorch README", "78.956", "94.252", V1),
    ("imagenet1k-resnext-50", "MXNet image-classification README", "76.89", "93.32", None),
    ("imagenet1k-resnext-101", "MXNet image-classification README", "78.28", "94.08", None),
    ("imagenet1k-resnext-101-64x4d", "MXNet image-classification README", "79.11", "94.30", None),
    ("resnext-50.cypw", CATALOGUE, "78.1", "94.1", None),
    ("resnext-101.cypw", CATALOGUE, "79.8", "95.1", None),
    ("resnext-152.cypw", CATALOGUE, "80.1", "95.2", None),
]
EVERY = {row.name: row for row in published()}


@pytest.mark.parametrize(("name", "source", "top1", "top5", "way"), OTHERS)
def test_number_of_another_source_is_as_it_was_printed_under_its_protocol(
    name: str, source: str, top1: str, top5: str, way: tuple[str, str, int, int] | None
) -> None:
    row = EVERY[name]
    first, fifth = (claim for claim in row.claims if claim.source == source)
    assert (first.metric, fifth.metric) == ("top1_error", "top5_error")
    assert (first.accuracy, fifth.accuracy) == (top1, top5)
    for claim in (first, fifth):
        assert claim.accuracy is not None
        assert Decimal(claim.value) + Decimal(claim.accuracy) == 100
        assert len(claim.value.partition(".")[2]) == len(claim.accuracy.partition(".")[2])
        assert (claim.images, claim.crops) == (50000, 1)
        if way is None:
            assert claim.protocol == "unknown"
            continue
        assert claim.protocol is None
        assert row.preprocessing is not None
        found = claim.under(row.preprocessing)
        scale, crop = claim.scale or found.scale, claim.crop or found.crop
        assert (found.pipeline, found.interpolation, scale, crop) == way


@pytest.mark.parametrize(
    ("name", "printed"),
    [  # top-1 and top-5 accuracy of crops of 224, and of crops of 320
        ("resnext50_32x4d.soeaver", ("77.63", "93.69", "78.90", "94.47")),
        ("resnext101_32x4d.soeaver", ("78.70", "94.21", "80.09", "95.03")),
        ("resnext101_64x4d.soeaver", ("79.40", "94.59", "80.74", "95.37")),
    ],
)
def test_numbers_of_the_ports_to_caffe_are_of_two_crops(
    name: str, printed: tuple[str, ...]
) -> None:
    row = EVERY[name]
    assert row.preprocessing == Preprocessing(
        scale=256,
        crop=224,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        pipeline=Pipeline.OPENCV,
    )
    assert tuple(claim.accuracy for claim in row.claims) == printed
    sides = [(claim.scale, claim.crop, claim.protocol) for claim in row.claims]
    assert sides == [(None, None, None)] * 2 + [(320, 320, None)] * 2


def test_models_of_cypw_have_the_max_pool_of_caffe_and_the_sizes_of_the_catalogue() -> None:
    sizes = {"resnext-50.cypw": 95.76, "resnext-101.cypw": 169.10, "resnext-152.cypw": 229.53}
    for name, megabytes in sizes.items():
        spec = EVERY[name].spec
        assert spec is not None
        assert spec.stem_pool is StemPool.CEIL
        rows = layout(spec)
        assert rows.parameters() * 4 / 2**20 == pytest.approx(megabytes, rel=0.01)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("resnext_29_8x64d_cifar10", "3.65"),
        ("resnext_29_8x64d_cifar100", "17.77"),
        ("resnext_29_16x64d_cifar10", "3.58"),
        ("resnext_29_16x64d_cifar100", "17.31"),
        ("resnext29_8x64d.prlz77_cifar10", "3.65"),
        ("resnext29_8x64d.prlz77_cifar100", "17.77"),
    ],
)
def test_number_of_cifar_is_reported_and_not_judged(name: str, error: str) -> None:
    (claim,) = EVERY[name].claims
    assert (claim.value, claim.images, claim.protocol) == (error, 10000, "unknown")


def test_every_network_has_a_name_of_its_own_that_is_a_files_stem() -> None:
    names = [row.name for row in published()]
    assert len(set(names)) == len(names) == 53
    assert all(re.fullmatch(r"[a-z0-9][A-Za-z0-9._-]*", name) for name in names)
    assert [row.name for row in published()][: len(ROWS)] == list(ROWS)


def test_digits_of_a_sha256_are_those_of_the_files_name() -> None:
    found = {row.file: row.sha256 for row in published() if row.sha256}
    assert len(found) == 28
    assert all(Path(str(file)).stem.endswith(f"-{digits}") for file, digits in found.items())
    assert all(row.url is None or row.url.endswith(f"/{row.file}") for row in published())


def test_files_of_mxnet_have_the_addresses_of_its_model_zoo() -> None:
    folder = "http://data.mxnet.io/models/imagenet/resnext"
    assert {row.name: row.url for row in by_source()["mxnet"]} == {
        f"imagenet1k-{name}": f"{folder}/{layers}-layers/{name}-0000.params"
        for name, layers in (("resnext-50", 50), ("resnext-101", 101), ("resnext-101-64x4d", 101))
    }


@pytest.mark.parametrize(
    ("name", "millions"),
    [  # as torchvision and prlz77 print them
        ("resnext50_32x4d.tv_in1k", 25.028904),
        ("resnext101_32x8d.tv2_in1k", 88.791336),
        ("resnext101_64x4d.tv_in1k", 83.455272),
        ("resnext_29_8x64d_cifar10", 34.4),
        ("resnext_29_16x64d_cifar10", 68.1),
    ],
)
def test_architecture_of_a_row_has_the_parameters_that_were_printed(
    name: str, millions: float
) -> None:
    spec = EVERY[name].spec
    assert spec is not None
    assert layout(spec).parameters() / 1e6 == pytest.approx(millions, abs=0.06)


# Which published network a file is

SPEC = replace(RESNET_50, cardinality=32, base_width=4)


@pytest.mark.parametrize(
    ("spec", "file", "size", "name"),
    [
        (SPEC, "resnext_50_32x4d.t7", 200_631_353, "resnext_50_32x4d"),
        (SPEC, "resnext_50_32x4d.t7", 200_631_354, None),
        (SPEC, "model_12.t7", 200_631_353, None),
        (SPEC, "resnext_50_32x4d.T7", 200_631_353, None),
        (replace(SPEC, classes=10), "resnext_50_32x4d.t7", 200_631_353, None),
        (RESNET_50, "resnext_50_32x4d.t7", 200_631_353, None),
        (replace(RESNET_50, blocks=(3, 8, 36, 3)), "resnet-152.t7", 1, "resnet_152"),
        (RESNET_50, "resnet-50.t7", 1, None),  # torchvision's; the published one is another
        (SPEC, "resnext50_32x4d-7cdf4587.pth", 1, "resnext50_32x4d.tv_in1k"),
    ],
    ids=[
        "published",
        "other size",
        "other name",
        "other case",
        "other classes",
        "other network",
        "size not known",
        "other batch norm",
        "another source",
    ],
)
def test_file_is_published_by_name_architecture_and_size(
    spec: Spec, file: str, size: int, name: str | None
) -> None:
    row = published_row(spec, file=file, size=size, sha256=lambda: "7cdf4587" + "0" * 56)
    assert (row and row.name) == name


def test_file_whose_first_digits_are_printed_is_published_by_these_too() -> None:
    spec = Spec(blocks=(3, 4, 6, 3), cardinality=32, base_width=4)

    def name(sha256: str) -> str | None:
        file = "resnext50_32x4d-7cdf4587.pth"
        row = published_row(spec, file=file, size=1, sha256=lambda: sha256)
        return row and row.name

    assert name("7cdf4587" + "0" * 56) == "resnext50_32x4d.tv_in1k"
    assert name("0" * 64) is None


# Tables of users

TABLE = """
[[network]]
name = "mine"
[network.preprocessing]
scale = 36
crop = 32
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
[[network.claim]]
metric = "top1_error"
crops = 1
value = "4.17"
images = 360
source = "Torch7, as trained"
"""


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "claims.toml"
    path.write_text(text)
    return path


def test_table_of_a_user_is_read(tmp_path: Path) -> None:
    [row] = read_table(table(tmp_path, TABLE))
    assert row.name == "mine"
    assert (row.preprocessing.scale, row.preprocessing.crop) == (36, 32)
    assert (row.spec, row.file, row.url, row.bytes, row.licence) == (None,) * 5
    assert row.claims == (
        Claim(
            metric=Metric.TOP1_ERROR,
            value="4.17",
            images=360,
            source="Torch7, as trained",
            crops=1,
            scale=None,
            crop=None,
        ),
    )


def test_mark_of_windows_before_a_file_is_no_part_of_it(tmp_path: Path) -> None:
    [row] = read_table(table(tmp_path, f"\ufeff{TABLE}"))
    fields = "crop = 8\nmean = [0, 0, 0]\nstd = [1, 1, 1]"
    found = read_preprocessing(table(tmp_path, f"\ufeff{fields}"))
    assert (row.name, found.crop) == ("mine", 8)


def test_claim_is_of_a_single_crop_unless_it_says_otherwise(tmp_path: Path) -> None:
    [row] = read_table(table(tmp_path, TABLE.replace("crops = 1\n", "")))
    assert row.claims[0].crops == 1


def test_claim_can_be_of_one_image_and_ten_crops(tmp_path: Path) -> None:
    text = TABLE.replace("images = 360", "images = 1").replace("crops = 1", "crops = 10")
    [row] = read_table(table(tmp_path, text))
    assert (row.claims[0].images, row.claims[0].crops) == (1, 10)


def test_network_without_claims_is_read(tmp_path: Path) -> None:
    [row] = read_table(table(tmp_path, TABLE.split("[[network.claim]]")[0]))
    assert row.claims == ()


@pytest.mark.parametrize("value", ["0", "0.0", "100", "22", "22.20", "100.00"])
def test_value_keeps_its_digits(tmp_path: Path, value: str) -> None:
    [row] = read_table(table(tmp_path, TABLE.replace("4.17", value)))
    assert row.claims[0].value == value


@pytest.mark.parametrize(
    ("written", "value"),
    [("4.10", "4.10"), ("22", "22"), ("+4.170", "4.170"), ("1_0.0", "10.0"), ("0x10", "16")],
)
def test_number_is_taken_with_the_digits_that_are_written(
    tmp_path: Path, written: str, value: str
) -> None:
    """TOML would read 4.10 as 4.1, whose tolerance is another."""
    text = TABLE.replace('"4.17"', written).replace('"Torch7, as trained"', "2017")
    [row] = read_table(table(tmp_path, text.replace('name = "mine"', "name = 50")))
    assert (row.claims[0].value, row.claims[0].source, row.name) == (value, "2017", "50")


def test_fields_that_may_be_left_out_are_read(tmp_path: Path) -> None:
    more = "crops = 1\ntolerance = 0.50\npipeline = 'pil'"
    text = TABLE.replace("crops = 1", more).replace(
        'name = "mine"', 'name = "m"\nclasses = ["a", 1]'
    )
    [row] = read_table(table(tmp_path, text))
    assert (row.claims[0].tolerance, row.claims[0].pipeline) == (Fraction(1, 2), "pil")
    assert row.classes == ("a", "1")
    start, end = TABLE.index("[network.prep"), TABLE.index("[[network.claim]]")
    [row] = read_table(table(tmp_path, TABLE[:start] + TABLE[end:]))
    assert row.preprocessing is None
    assert row.classes is row.claims[0].tolerance is None
    assert row.claims[0].pipeline is row.claims[0].interpolation is None


def test_accuracy_is_taken_as_the_error_with_the_same_digits(tmp_path: Path) -> None:
    text = TABLE.replace('"top1_error"', '"top5_accuracy"').replace("4.17", "95.340")
    [row] = read_table(table(tmp_path, text))
    (claim,) = row.claims
    assert (claim.metric, claim.value, claim.accuracy) == ("top5_error", "4.660", "95.340")
    assert claim.printed == "Torch7, as trained, as accuracy 95.340"


def test_protocol_of_a_row_is_that_of_its_claims(tmp_path: Path) -> None:
    text = TABLE.replace('name = "mine"', 'name = "mine"\nprotocol = "unknown"')
    [row] = read_table(table(tmp_path, text))
    assert row.claims[0].protocol == "unknown"
    [row] = read_table(table(tmp_path, TABLE))
    assert row.claims[0].protocol is None


def test_claim_takes_the_arithmetic_of_its_row_or_its_own(tmp_path: Path) -> None:
    pil = TABLE.replace("scale = 36", 'scale = 36\npipeline = "pil"\ninterpolation = "bicubic"')
    more = pil.replace("crops = 1", 'pipeline = "opencv"')
    for text, way in (
        (TABLE, "torch7"),
        (pil, "pil bicubic"),
        (more, "opencv bicubic"),
        (more.replace('"opencv"', '"opencv"\ninterpolation = "bilinear"'), "opencv"),
        (pil.replace("crops = 1", 'interpolation = "bilinear"'), "pil"),
        (pil.replace("crops = 1", 'pipeline = "torch7"'), "torch7"),
    ):
        [row] = read_table(table(tmp_path, text))
        assert row.preprocessing is not None
        assert row.claims[0].under(row.preprocessing).pixels == way


def test_many_faults_are_counted(tmp_path: Path) -> None:
    with pytest.raises(PublishedError) as caught:
        read_table(table(tmp_path, TABLE.replace("4.17", "x") * 30))
    lines = caught.value.lines
    assert len(lines) == 21
    assert lines[-1].endswith("claims.toml: and 10 more faults")
    assert all("value must be a percentage" in line for line in lines[:-1])
    assert str(caught.value) == "\n".join(lines)


def test_bundled_claims_of_the_demo_are_read() -> None:
    path = ROOT / "examples" / "digits" / "claims.toml"
    [row] = read_table(path)
    assert row.name == "resnext_11_8x4d_digits"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (TABLE, "= nonsense", "not a TOML file"),
        (TABLE, "", r"\[\[network\]\] tables expected"),
        (TABLE, "network = 3", r"\[\[network\]\] tables expected"),
        (TABLE, "network = [3]", "network 1: a table expected, found 3"),
        (TABLE, "[network]\nname = 'x'", r"\[\[network\]\] tables expected"),
        (TABLE, TABLE + "[other]\n", r"\[\[network\]\] tables expected"),
        (TABLE, TABLE + TABLE, "two networks of the name 'mine'"),
        ('name = "mine"', "", "network 1: name expected, found none"),
        ('name = "mine"', "name = [3]", r"network 1: name must be a text, found \[3\]"),
        ('name = "mine"', "name = true", "network 1: name must be a text, found True"),
        ('name = "mine"', 'nam = "mine"', "network 1: unknown field 'nam'"),
        ('name = "mine"', 'name = "mine"\nbytes = "3"', "'mine': bytes must be a whole number"),
        ('name = "mine"', 'name = "mine"\nlicence = {}', "'mine': licence must be a text"),
        ('name = "mine"', 'name = "mine"\nspec = 3', "'mine': a table expected, found 3"),
        ('name = "mine"', 'name = "mine"\nspec = {}', "'mine': blocks is missing"),
        (
            'name = "mine"',
            'name = "mine"\nspec = { blocks = [1, 1] }',
            "three or four stages",
        ),
        ("[network.preprocessing]", "[network.prep]", "'?mine'?|network 1: unknown field 'prep'"),
        ("crop = 32", "crop = 40", "scale 36 is smaller than crop 40"),
        ("scale = 36", "scale = 9460", "scale must be .* from 1 to 9459, found 9460"),
        ("crop = 32", "crop = 0", "crop must be a whole number"),
        ("crop = 32", "crop = 32.0", "crop must be a whole number"),
        ("crop = 32", "crop = true", "crop must be a whole number"),
        ("crop = 32", "crop = 32\nsize = 3", "unknown field 'size'"),
        ("mean = [0.485, 0.456, 0.406]", "mean = [0.5, 0.5]", "mean must be three numbers"),
        ("mean = [0.485, 0.456, 0.406]", 'mean = ["a", 0, 0]', "mean must be three numbers"),
        ("std = [0.229, 0.224, 0.225]", "std = [0.2, 0.0, 0.2]", "'mine': std of at least 1e-30"),
        ("[[network.claim]]", "[network.claim]", r"\[\[network.claim\]\] tables expected"),
        (
            '"top1_error"',
            '"top1"',
            "metric is one of top1_error, top5_error, top1_accuracy, top5_accuracy, found 'top1'",
        ),
        ('metric = "top1_error"', "", "claim 1: metric expected, found none"),
        ('"4.17"', "1e1", "claim 1: value must be a percentage such as .*, found '1e1'"),
        ('"4.17"', "nan", "claim 1: value must be a percentage such as .*, found 'nan'"),
        ('"4.17"', "true", "claim 1: value must be a text, found True"),
        ("crops = 1", "tolerance = -1", "claim 1: tolerance must be a number of percentage points"),
        ("crops = 1", "tolerance = 100.5", "tolerance must be a number of .* found '100.5'"),
        ("crops = 1", "tolerance = []", "claim 1: tolerance must be a text, found"),
        (
            "crops = 1",
            "pipeline = 'PIL'",
            "claim 1: pipeline is one of torch7, pil, opencv, found 'PIL'",
        ),
        ('name = "mine"', 'name = "mine"\nclasses = []', "classes must be the names of the"),
        ('name = "mine"', 'name = "mine"\nclasses = "a"', "classes must be the names of the"),
        ('name = "mine"', 'name = "mine"\nclasses = [[]]', "classes: a name must be a text"),
        ('name = "mine"', "name = 'mine'\nclasses = ['a', 'a']", "classes: 'a' stands there twice"),
        ('"4.17"', '"4,17"', "value must be a percentage such as"),
        ('"4.17"', '""', "value must be a percentage such as"),
        ('"4.17"', '"-1"', "value must be a percentage such as"),
        ('"4.17"', '"100.01"', "value must be a percentage such as"),
        ('"4.17"', '"nan"', "value must be a percentage such as"),
        ('"4.17"', '"sNaN"', "value must be a percentage such as"),
        ('"4.17"', '"inf"', "value must be a percentage such as"),
        ("images = 360", "images = 0", "images >= 1"),
        ("images = 360", "images = 3.5", "images must be a whole number"),
        ("images = 360", "", "images expected, found none"),
        ("crops = 1", "crops = 5", "crops 1 or 10"),
        ("crops = 1", "crops = 1\nscale = 0", "scale must be 1 to 9459 pixels, found 0"),
        ("crops = 1", "crops = 1\ncrop = -1", "crop must be 1 to 9459 pixels, found -1"),
        ("crops = 1", "crops = true", "crops must be a whole number"),
        ("crops = 1", 'crops = 1\ncrop = "320"', "crop must be a whole number"),
        ("crops = 1", "crops = 1\nweight = 3", "claim 1: unknown field 'weight'"),
        ('source = "Torch7, as trained"', "", "source expected, found none"),
        ("crops = 1", "protocol = 'known'", 'claim 1: protocol is "unknown", or left out'),
        (
            'name = "mine"',
            'name = "mine"\nprotocol = 3',
            "'mine': protocol is \"unknown\", or left",
        ),
        (
            "crops = 1",
            "interpolation = 'cubic'",
            "interpolation is one of bilinear, bicubic, found",
        ),
        (
            "crops = 1",
            "interpolation = 'bilinear'",
            "torch7 pipeline is bicubic, interpolation bil",
        ),
        ("scale = 36", "scale = 36\npipeline = 'cv2'", "pipeline is one of torch7, pil, opencv, f"),
        (
            "scale = 36",
            "scale = 36\ninterpolation = 'bilinear'",
            "of the torch7 pipeline is bicubic",
        ),
        (
            'name = "mine"',
            'name = "mine"\nsha256 = "7CDF"',
            "sha256 must be the first 8 to 64 digits",
        ),
        (TABLE, TABLE + TABLE[TABLE.index("[[network.claim]]") :], "the same claim stands there"),
        ('name = "mine"', 'name = "mine"\nweights_sha256 = 3', "weights_sha256 must be a text"),
        (
            'name = "mine"',
            'name = "mine"\nweights_sha256 = "ABC"',
            "weights_sha256 must be 64 digits from 0 to f, as in report.json, found 'ABC'",
        ),
    ],
    ids=lambda value: str(value)[:30].strip(),
)
def test_table_that_is_wrong_is_refused_by_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = table(tmp_path, TABLE.replace(old, new))
    with pytest.raises(PublishedError, match=message) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe[[network]]")
    with pytest.raises(PublishedError, match="not a TOML file"):
        read_table(path)


def test_missing_table_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "none.toml")


def test_table_of_many_networks_is_read_in_linear_time(tmp_path: Path) -> None:
    """Looking for each name among all of them would take minutes."""
    row = (
        "[[network]]\nname = 'n{}'\npreprocessing = {{crop = 8, mean = [0, 0, 0], std = [1, 1, 1]}}"
    )
    path = tmp_path / "many.toml"
    path.write_text("\n".join(row.format(number) for number in range(30_000)))
    begin = time.process_time()
    assert len(read_table(path)) == 30_000
    assert time.process_time() - begin < 15


@pytest.mark.parametrize("field", ["name", "licence", "bytes", "unknown"])
def test_long_value_of_a_row_is_shown_in_part(tmp_path: Path, field: str) -> None:
    value = f"[{'1, ' * 10**5}]" if field != "name" else f"'{'n' * 10**5}'"
    name = "" if field == "name" else "name = 'mine'\n"
    path = tmp_path / "long.toml"
    path.write_text(
        f"[[network]]\n{name}{field} = {value}\n"
        "preprocessing = {crop = 8, mean = [0, 0, 0], std = [0, 1, 1]}"
    )
    with pytest.raises(PublishedError) as caught:
        read_table(path)
    assert len(str(caught.value)) < len(str(path)) + 500
