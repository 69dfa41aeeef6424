from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from resnext.inference.metrics import Counts
from resnext.preprocessing import IMAGENET, Pipeline
from resnext.published import Claim, Metric
from tests.support.sample_report import sample_report
from tests.support.terminal import terminal
from validate.reports.sentences import exit_code, exit_meaning, headline, outcome, remarks
from validate.reports.table import print_table, to_table
from validate.verdicts.claim_groups import open_claims
from validate.verdicts.claims import Judgement, Unjudged, Verdict
from validate.verdicts.results import Changed, MeasuredRun, Result

PIL = IMAGENET.with_pipeline(Pipeline.PIL)
COUNTS = Counts(images=50000, top1_correct=38550, top5_correct=46490)
RUN = MeasuredRun(
    checkpoint="a/x.t7", network="resnext_50_32x4d", weights_sha256="0" * 64, preprocessing=IMAGENET
)


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
MORE = judgement(
    "top1_error", "22.2", source="ResNeXt README", images=50001, wrong=81, verdict="no verdict"
)
TEN_CROPS = Unjudged(
    claim=Claim(metric=Metric.TOP1_ERROR, value="20.1", images=50000, source="a README", crops=10),
    protocol="10 crops",
)


def result(*judgements: Judgement, counts: Counts = COUNTS, **run: object) -> Result:
    return Result(
        run=replace(RUN, **run),  # type: ignore[arg-type]
        counts=counts,
        judgements=judgements,
        unjudged=(TEN_CROPS,),
    )


def printed(*results: Result, width: int = 80) -> list[str]:
    console = Console(file=StringIO(), width=width, markup=False, highlight=False)
    with console.capture() as capture:
        console.print(to_table(results, console))
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


def test_table_shows_pipelines_beside_each_other_and_folds_the_source_at_80_columns() -> None:
    other = Counts(images=50000, top1_correct=38200, top5_correct=46490)
    pair = (result(FAILED, REPRODUCED), result(counts=other, preprocessing=PIL))
    assert printed(*pair) == [
        "network             correct  error %  claim %  verdict         source",
        "--------------------------------------------------------------------------------",
        "resnext_50_32x4d",
        "  top-1 torch7  38550/50000    22.90     22.2  not reproduced  ResNeXt README",
        "  top-1 pil     38200/50000    23.60     22.2  1.40 above",
        "  top-5 torch7  46490/50000     7.02     7.02  reproduced      fb.resnet.torch",
        "                                                               README",
        "  top-5 pil     46490/50000     7.02     7.02  as printed",
    ]


def test_table_without_claims_has_no_columns_for_them() -> None:
    assert printed(result(), result(network="mine")) == [
        "network      correct  error %",
        "-----------------------------",
        "resnext_50_32x4d",
        "  top-1  38550/50000    22.90",
        "  top-5  46490/50000     7.02",
        "mine",
        "  top-1  38550/50000    22.90",
        "  top-5  46490/50000     7.02",
    ]


def test_table_that_is_wider_than_the_terminal_is_sentences_broken_at_words() -> None:
    other = Counts(images=50000, top1_correct=38200)
    pair = (result(FAILED), result(counts=other, preprocessing=PIL))
    assert printed(*pair, width=60) == [
        "resnext_50_32x4d",
        "  top-1 torch7: 38550/50000 correct, error 22.90 %, claim",
        "    22.2 %, not reproduced, ResNeXt README",
        "  top-1 pil: 38200/50000 correct, error 23.60 %, claim 22.2",
        "    %, 1.40 above",
        "  top-5 torch7: 46490/50000 correct, error 7.02 %",
        "  top-5 pil: 0/50000 correct, error 100.00 %",
    ]


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_lines_on_a_terminal_break_at_words(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    report = replace(sample_report(gone=False), results=(result(FAILED, REPRODUCED),))
    with terminal(columns) as screen:
        for name, value in screen.environment.items():
            monkeypatch.setenv(name, value)
        with open(screen.side, "w", closefd=False) as stdout, monkeypatch.context() as patch:
            patch.setattr("sys.stdout", stdout)
            print_table(report)
        lines = screen.lines()
    assert max(map(len, lines)) <= columns
    text = (
        "resnext_50_32x4d: top-1 error 22.90 is 0.70 points (350 images) above the 22.2 of ResNeXt "
        "README"
    )
    assert text in " ".join(" ".join(lines).split())


def test_table_names_crops_and_precision_where_they_are_not_the_usual() -> None:
    lines = printed(result(crops=10, precision="bf16"), result())
    assert lines[2] == "resnext_50_32x4d, 10 crops, bf16"
    assert lines[5] == "resnext_50_32x4d"


def test_table_tells_a_single_pipeline_that_is_not_the_original() -> None:
    assert printed(result(preprocessing=PIL))[3] == "  top-1 pil  38550/50000    22.90"


def test_table_of_no_images_has_a_dash() -> None:
    assert printed(result(counts=Counts()))[3] == "  top-1      0/0        -"


def test_table_tells_checkpoints_of_one_network_apart_by_their_files() -> None:
    lines = printed(result(checkpoint="x.t7"), result(checkpoint="x.safetensors"))
    assert lines[2] == "resnext_50_32x4d (x.t7)"
    assert lines[5] == "resnext_50_32x4d (x.safetensors)"


def test_table_prints_brackets_in_names_as_they_are() -> None:
    assert "[bold]mine" in printed(result(network="[bold]mine"))


def test_remarks_say_how_far_a_failed_claim_is_off() -> None:
    assert remarks([result(FAILED, REPRODUCED, network="mine")]) == (
        "mine: top-1 error 22.90 is 0.70 points (350 images) above the 22.2 of ResNeXt README",
        "mine: top-1 error 20.1 (a README) is not judged: it was measured with 10 crops",
    )


def test_remarks_say_what_a_part_of_the_images_allows_to_say() -> None:
    assert remarks([result(PART)])[0] == (
        "resnext_50_32x4d: top-1 error 30.80 has the 95 % interval 25.53 to 36.62, which does "
        "not hold the 22.2 of ResNeXt README; "
        "no verdict, as 263 images were measured and 50,000 claimed"
    )


def test_remarks_say_that_a_set_of_the_right_size_may_not_be_whole() -> None:
    judged = replace(FAILED, verdict=Verdict.NO_VERDICT)
    assert remarks([result(judged)])[0].endswith(
        "no verdict, as this is not the whole set with every class"
    )


def test_remarks_say_what_a_faster_precision_changed() -> None:
    changed = replace(result(precision="bf16"), changed=Changed(images=1000, top1=7))
    assert remarks([changed])[0] == (
        "resnext_50_32x4d, bf16: bf16 changed the best class of 7 of 1,000 images "
        "that were decided in fp32 too"
    )


def test_remarks_compare_pipelines_and_name_each_unjudged_claim_once() -> None:
    other = Counts(images=50000, top1_correct=38200, top5_correct=46490)
    shift, nothing, unjudged = remarks([result(), result(counts=other, preprocessing=PIL)])
    assert shift == (
        "resnext_50_32x4d: top-1 error under pil is 0.70 points (350 images) "
        "above that under torch7"
    )
    assert nothing == "resnext_50_32x4d: nothing judged: 1 claim was made with 10 crops"
    assert unjudged.endswith("20.1 (a README) is not judged: it was measured with 10 crops")


def test_headline_says_first_what_decides() -> None:
    assert headline(sample_report()) == (
        "Incomplete: 1 image could not be read. "
        "Not reproduced: 1 of 2 claims does not hold. "
        "Under pil the top-1 error is 20.00 points (1 image) above that under torch7."
    )


@pytest.mark.parametrize(
    ("judgements", "text"),
    [
        ((), "Nothing judged: 1 claim was made with 10 crops."),
        ((REPRODUCED,), "Reproduced: the claim holds."),
        ((REPRODUCED,) * 3, "Reproduced: all 3 claims hold."),
        ((REPRODUCED, PART), "Reproduced: the claim holds; no verdict on 1 more."),
        ((REPRODUCED, FAILED), "Not reproduced: 1 of 2 claims does not hold."),
        ((PART,), "No verdict: 1 claim measured on a part of the images."),
        ((MORE,), "No verdict: 1 claim measured on other images than its own."),
    ],
)
def test_headline_counts_claims(judgements: tuple[Judgement, ...], text: str) -> None:
    report = replace(sample_report(gone=False), results=(result(*judgements),))
    assert headline(report) == text


def test_headline_of_a_network_without_claims_says_so() -> None:
    (only,) = (replace(result(), unjudged=()),)
    report = replace(sample_report(gone=False), results=(only,))
    assert headline(report) == "Measured; there is no claim to judge."


@pytest.mark.parametrize(
    ("judgements", "missing", "left"),
    [
        ((REPRODUCED,), (), ()),
        ((REPRODUCED, PART), (), ("resnext_50_32x4d: no verdict on 1 claim",)),
        ((), (), ("resnext_50_32x4d: no claim was judged",)),
        ((REPRODUCED,), ("pets",), ("pets: no checkpoint that its claims apply to was measured",)),
    ],
    ids=["judged", "part", "another protocol", "row"],
)
def test_claims_left_open_are_named_and_fail_a_strict_run(
    judgements: tuple[Judgement, ...], missing: tuple[str, ...], left: tuple[str, ...]
) -> None:
    report = replace(
        sample_report(gone=False), results=(result(*judgements),), missing=missing, strict=True
    )
    assert open_claims(report) == left
    assert exit_code(report) == (1 if left else 0)
    assert exit_code(replace(report, strict=False)) == 0


def test_every_claim_of_the_users_own_is_asked_for() -> None:
    report = replace(sample_report(gone=False), results=(result(REPRODUCED),), strict=True)
    assert open_claims(replace(report, own=("resnext_101_32x4d",))) == ()
    own = replace(report, own=("resnext_50_32x4d",))
    assert open_claims(own) == ("resnext_50_32x4d: 1 claim not judged",)
    assert exit_code(own) == 1


@pytest.mark.parametrize(
    ("judgements", "strict", "meaning"),
    [
        ((REPRODUCED,), True, "every claim that was judged holds"),
        ((PART,), False, "no claim was judged"),
        ((PART,), True, "a claim has no verdict, which --strict does not let pass"),
        ((FAILED, PART), True, "a claim that was judged does not hold"),
    ],
)
def test_exit_code_is_explained(
    judgements: tuple[Judgement, ...], strict: bool, meaning: str
) -> None:
    report = replace(sample_report(gone=False), results=(result(*judgements),), strict=strict)
    assert exit_meaning(report) == meaning


@pytest.mark.parametrize("columns", ["0", "1", "39"])
def test_terminal_too_narrow_for_anything_gets_the_table_all_the_same(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    print_table(sample_report())
    assert "resnext_11_1x64d" in capsys.readouterr().out.splitlines()


def test_headline_gives_the_range_of_what_a_pipeline_changes() -> None:
    results = []
    for name, right in (("a", 38200), ("b", 38500)):
        other = Counts(images=50000, top1_correct=right, top5_correct=46490)
        results += [result(network=name), result(network=name, counts=other, preprocessing=PIL)]
    report = replace(sample_report(gone=False), results=tuple(results))
    assert headline(report).endswith(
        "Under pil top-1 errors are 0.10 to 0.70 points above those under torch7."
    )


def test_exit_code_and_outcome_take_the_worst() -> None:
    whole = sample_report(gone=False)
    held = replace(whole, results=(result(REPRODUCED),))
    assert [(exit_code(each), outcome(each)) for each in (sample_report(), whole, held)] == [
        (2, "incomplete"),
        (1, "not reproduced"),
        (0, "reproduced"),
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


def test_print_table_lists_images_that_could_not_be_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_table(sample_report())
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:9] == [
        "resnext_11_1x64d",
        "  top-1 torch7      4/5    20.00     20.0  reproduced      a README",
        "  top-1 pil         3/5    40.00     20.0  20.00 above",
        "  top-1 torch7      4/5    20.00      0.0  not reproduced  <b>another</b>",
        "  top-1 pil         3/5    40.00      0.0  40.00 above",
        "  top-5 torch7      5/5     0.00",
        "  top-5 pil         5/5     0.00",
    ]
    assert lines[-2:] == [
        "1 image could not be read:",
        "  c/gone.png: a whole image expected, found one that is truncated",
    ]


def test_print_table_lists_ten_of_many_failures(capsys: pytest.CaptureFixture[str]) -> None:
    report = sample_report()
    failures = {n: f"image {n}" for n in range(12)}
    print_table(replace(report, decisions=replace(report.decisions, failures=failures)))
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "  image 9",
        "  and 2 more; --output lists them all",
    ]
