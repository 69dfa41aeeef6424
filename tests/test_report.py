from io import StringIO

import pytest
from rich.console import Console

from resnext.preprocessing import IMAGENET
from resnext.published import Claim, Metric
from validate.claims import Judgement, Unjudged, Verdict
from validate.metrics import Counts
from validate.report import Result, to_json, to_remarks, to_table

COUNTS = Counts(images=50000, top1_correct=38550, top5_correct=46490)


def judgement(
    metric: str, value: str, *, source: str, images: int = 50000, wrong: int, verdict: str
) -> Judgement:
    claim = Claim(metric=Metric(metric), value=value, images=50000, source=source)
    return Judgement(claim=claim, images=images, wrong=wrong, verdict=Verdict(verdict))


REPRODUCED = judgement(
    "top5_error", "7.02", source="fb.resnet.torch README", wrong=3510, verdict="reproduced"
)
FAILED = judgement(
    "top1_error", "22.2", source="ResNeXt README", wrong=11450, verdict="not reproduced"
)
# The bounds for 81 of 263 are the roots of (x - p)^2 = z^2 x (1 - x) / n: 25.528852 and 36.620958.
PART = judgement(
    "top1_error", "22.2", source="ResNeXt README", images=263, wrong=81, verdict="no verdict"
)
TEN_CROPS = Unjudged(
    claim=Claim(metric=Metric.TOP1_ERROR, value="20.1", images=50000, source="a README", crops=10),
    protocol="10 crops",
)


def result(
    *judgements: Judgement, network: str = "resnext_50_32x4d", checkpoint: str = "a/x.t7"
) -> Result:
    return Result(
        checkpoint=checkpoint,
        network=network,
        preprocessing=IMAGENET,
        counts=COUNTS,
        judgements=judgements,
        unjudged=(TEN_CROPS,),
    )


def printed(*results: Result, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, markup=False, highlight=False)
    with console.capture() as capture:
        console.print(to_table(results))
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_table_has_a_line_for_each_metric_and_claim(width: int) -> None:
    assert printed(result(FAILED, REPRODUCED), result(network="mine"), width=width) == [
        "network      correct  error %  claim %  verdict         source",
        "------------------------------------------------------------------------------",
        "resnext_50_32x4d",
        "  top-1  38550/50000    22.90     22.2  not reproduced  ResNeXt README",
        "  top-5  46490/50000     7.02     7.02  reproduced      fb.resnet.torch README",
        "mine",
        "  top-1  38550/50000    22.90",
        "  top-5  46490/50000     7.02",
    ]


def test_table_tells_checkpoints_of_one_network_apart_by_their_files() -> None:
    lines = printed(result(checkpoint="x.t7"), result(checkpoint="x.safetensors"), width=80)
    assert lines[2] == "resnext_50_32x4d (x.t7)"
    assert lines[5] == "resnext_50_32x4d (x.safetensors)"


def test_table_prints_brackets_in_names_as_they_are() -> None:
    assert "[bold]mine" in printed(result(network="[bold]mine"), width=80)


def test_remarks_say_how_far_a_failed_claim_is_off() -> None:
    assert to_remarks([result(FAILED, REPRODUCED, network="mine")]) == (
        "mine: top-1 error 22.90 is 0.70 points (350 images) above the 22.2 of ResNeXt README",
        "mine: top-1 error 20.1 (a README) is not judged: it was measured with 10 crops",
    )


def test_remarks_say_what_a_part_of_the_images_allows_to_say() -> None:
    assert to_remarks([result(PART)])[0] == (
        "resnext_50_32x4d: top-1 error 30.80 has the 95 % interval 25.53 to 36.62, which does "
        "not hold the 22.2 of ResNeXt README; "
        "no verdict, as 263 images were measured and 50000 claimed"
    )


def test_json_has_counts_percentages_and_verdicts() -> None:
    assert to_json([result(REPRODUCED, FAILED)]) == {
        "results": [
            {
                "checkpoint": "a/x.t7",
                "network": "resnext_50_32x4d",
                "images": 50000,
                "top1_correct": 38550,
                "top5_correct": 46490,
                "top1_error": 22.9,
                "top5_error": 7.02,
                "preprocessing": {
                    "scale": 256,
                    "crop": 224,
                    "mean": (0.485, 0.456, 0.406),
                    "std": (0.229, 0.224, 0.225),
                    "white": 1,
                },
                "claims": [
                    {
                        "source": "fb.resnet.torch README",
                        "metric": "top5_error",
                        "published": "7.02",
                        "measured": 7.02,
                        "verdict": "reproduced",
                    },
                    {
                        "source": "ResNeXt README",
                        "metric": "top1_error",
                        "published": "22.2",
                        "measured": 22.9,
                        "verdict": "not reproduced",
                        "difference_points": 0.7,
                        "difference_images": 350,
                    },
                ],
            }
        ]
    }


def test_json_of_a_part_of_the_images_has_the_interval() -> None:
    fields = to_json([result(PART)])
    assert fields["results"][0]["claims"] == [  # type: ignore[index]
        {
            "source": "ResNeXt README",
            "metric": "top1_error",
            "published": "22.2",
            "measured": 30.7985,
            "verdict": "no verdict",
            "interval": [25.5289, 36.6210],
            "interval_holds": False,
        }
    ]


@pytest.mark.parametrize(
    ("judged", "failed"),
    [(REPRODUCED, False), (PART, False), (FAILED, True)],
    ids=["reproduced", "no verdict", "not reproduced"],
)
def test_result_fails_only_by_a_claim_that_was_not_reproduced(
    judged: Judgement, failed: bool
) -> None:
    assert result(judged).failed is failed
