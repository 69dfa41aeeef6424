"""The README.md of timm's folder: what the Hub's own client reads in it, and when it is kept."""

from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from convert.export.errors import OutputError
from convert.export.formats import EXPORTERS
from convert.export.timm_card import timm_card
from resnext.checkpoint import Checkpoint
from resnext.model_card.card import write_measured
from resnext.model_card.seal import is_sealed
from resnext.preprocessing import IMAGENET, Pipeline
from tests.resnext.model_card.test_measured import ROW
from tests.support.timm_folders import published_checkpoint, small_checkpoint, timm_folder


def with_licence(licence: str | None) -> Checkpoint:
    small = small_checkpoint()
    return replace(small, provenance=replace(small.provenance, licence=licence))


def test_hub_reads_licence_library_tags_data_set_and_base_file() -> None:
    card = ModelCard(timm_card(published_checkpoint("resnext_50_32x4d")))
    assert {name: card.data.get(name) for name in ("license", "library_name", "pipeline_tag")} == {
        "license": "cc-by-nc-4.0",
        "library_name": "timm",
        "pipeline_tag": "image-classification",
    }
    assert card.data.tags == ["image-classification", "timm", "resnext"]
    assert card.data.datasets == ["imagenet-1k"]
    assert card.data["base_file"] == {
        "name": "resnext_50_32x4d.t7",
        "sha256": "5a" * 32,
        "bytes": 7,
        "url": "https://dl.fbaipublicfiles.com/resnext/imagenet_models/resnext_50_32x4d.t7",
    }


def test_hub_reads_the_claim_as_printed_and_its_source() -> None:
    card = ModelCard(timm_card(published_checkpoint("resnext_50_32x4d")))
    error, accuracy = card.data.eval_results
    assert card.data.model_name == "resnext_50_32x4d"
    assert (error.metric_type, error.metric_value) == ("top1_error", 22.2)
    assert error.metric_name == "top-1 error, as published"
    assert (accuracy.metric_type, accuracy.metric_value) == ("accuracy", 77.8)
    for result in (error, accuracy):
        assert (result.task_type, result.dataset_type) == ("image-classification", "imagenet-1k")
        assert result.dataset_split == "validation"
        assert result.source_name == "ResNeXt README"
        assert result.source_url == "https://github.com/facebookresearch/ResNeXt"
        assert result.metric_args == {
            "printed": "22.2",
            "pipeline": "torch7",
            "interpolation": "bicubic",
            "scale": 256,
            "crop": 224,
            "crops": 1,
        }
        assert result.verified is None


def test_hub_reads_accuracies_of_each_source_with_their_digits() -> None:
    text = timm_card(published_checkpoint("resnext50_32x4d.tv2_in1k"))
    found = [
        (each.metric_type, each.metric_value, each.metric_args["printed"], each.source_name)
        for each in ModelCard(text).data.eval_results
    ]
    assert found == [
        ("accuracy", 81.198, "81.198", "torchvision resnet.py"),
        ("top_5_accuracy", 95.34, "95.340", "torchvision resnet.py"),
        ("accuracy", 81.182, "81.182", "timm results-imagenet.csv"),
        ("top_5_accuracy", 95.34, "95.340", "timm results-imagenet.csv"),
    ]
    assert "value: 95.340\n" in text


def test_claims_of_an_unknown_protocol_say_so() -> None:
    card = ModelCard(timm_card(published_checkpoint("imagenet1k-resnext-50")))
    [first, _] = card.data.eval_results
    assert first.metric_args == {"printed": "76.89", "protocol": "unknown", "crops": 1}


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC BY-NC 4.0", ("cc-by-nc-4.0", None)),
        ("BSD-3-Clause", ("bsd-3-clause", None)),
        ("Apache-2.0", ("apache-2.0", None)),
        ("My own: terms", ("other", "My own: terms")),
        (None, (None, None)),
    ],
)
def test_licence_is_called_as_the_hub_calls_it(
    licence: str | None, expected: tuple[str | None, str | None]
) -> None:
    data = ModelCard(timm_card(with_licence(licence))).data
    assert (data.license, data.license_name) == expected


def test_network_without_a_published_name_claims_nothing() -> None:
    text = timm_card(small_checkpoint())
    data = ModelCard(text).data
    assert (data.eval_results, data.datasets) == (None, None)
    assert "What was published" not in text


def test_fine_tuned_network_has_no_claims_and_no_proof() -> None:
    network = replace(published_checkpoint("resnext_50_32x4d"), training={"epoch": 3})
    text = timm_card(network)
    assert ModelCard(text).data.eval_results is None
    assert "It was trained here" in text
    assert "The training began with resnext_50_32x4d.t7" in text


def test_card_says_how_the_conversion_was_proven() -> None:
    proven = timm_card(published_checkpoint("resnext_50_32x4d", proof=3.2e-16))
    assert "they differ by at most 3.2e-16 of the largest logit" in proven
    assert "was not compared" in timm_card(published_checkpoint("resnext_50_32x4d"))


def test_card_shows_how_to_load_the_exact_pixels() -> None:
    text = timm_card(small_checkpoint())
    assert "transform = resnext.Transform(checkpoint.preprocessing)" in text
    assert "Torch7's bicubic scaling" in text
    pil = small_checkpoint(preprocessing=IMAGENET.with_pipeline(Pipeline.PIL))
    assert "Torch7's bicubic scaling" not in timm_card(pil)


def test_card_of_a_hostile_header_is_read_as_text() -> None:
    small = small_checkpoint()
    words = "x: y\n---\n<script>*a `b` \x1b[31m"
    network = replace(small, provenance=replace(small.provenance, source_file=words, licence=words))
    text = timm_card(network)
    assert "<script>" not in text.partition("\n---\n\n")[2]
    assert ModelCard(text).data.license_name == words.replace("\n", "\\n").replace("\x1b", "\\x1b")


# What is kept


def test_folder_with_the_card_as_written_is_replaced(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "some.timm")
    assert is_sealed((folder / "README.md").read_text())
    EXPORTERS["timm"].require_room(folder, replace=True)


def test_folder_of_an_older_version_is_replaced(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "some.timm")
    (folder / "README.md").unlink()
    EXPORTERS["timm"].require_room(folder, replace=True)


def test_folder_whose_card_a_person_changed_is_kept(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "some.timm")
    with (folder / "README.md").open("a") as file:
        file.write("mine\n")
    with pytest.raises(OutputError, match=r"README\.md has been changed since it was written"):
        EXPORTERS["timm"].require_room(folder, replace=True)


def test_folder_whose_card_has_measurements_is_kept(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "some.timm")
    write_measured(folder / "README.md", "some", [ROW])
    with pytest.raises(OutputError, match=r"README\.md holds what resnext-validate measured"):
        EXPORTERS["timm"].require_room(folder, replace=True)
