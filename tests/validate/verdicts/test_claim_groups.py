"""Claims of a group of runs, block by block."""

import time
from dataclasses import replace

from resnext.preprocessing import Pipeline
from tests.support.sample_report import sample_report
from validate.verdicts.claim_groups import grouped


def test_many_claims_of_a_network_take_linear_time() -> None:
    """Looking for each claim among all of them would take minutes of processor time."""
    first = sample_report().results[0]
    one = first.judgements[0]
    many = tuple(
        replace(one, claim=replace(one.claim, source=f"page {number}")) for number in range(10_000)
    )
    (group,) = grouped([replace(first, judgements=many)])
    begin = time.process_time()
    blocks = [each for each in group.blocks() if each.claim is not None]
    assert time.process_time() - begin < 5
    assert [each.claim for each in blocks] == [each.claim for each in many]
    assert {each.lines[0].verdict for each in blocks} == {one.verdict}


def test_runs_that_have_a_claim_of_their_own_are_not_compared_with_another() -> None:
    first, second = sample_report().results
    own = replace(
        first.judgements[0], claim=replace(first.judgements[0].claim, pipeline=Pipeline.PIL)
    )
    (group,) = grouped([first, replace(second, judgements=(own,), unjudged=())])
    top1 = [block for block in group.blocks() if block.claim is not None]
    pipelines = [[line.result.run.pipeline for line in block.lines] for block in top1]
    assert pipelines == [["torch7"], ["torch7"], ["pil"]]
    assert all(line.verdict is not None for block in top1 for line in block.lines)
