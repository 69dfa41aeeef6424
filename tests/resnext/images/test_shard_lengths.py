import json

import pytest

from resnext.images.shard_lengths import stated_lengths, states_lengths

TIMM = {
    "name": "x",
    "splits": {
        "train": {"filenames": ["t-0.tar"], "shard_lengths": [9]},
        "validation": {"filenames": ["v-0.tar", "v-1.tar"], "shard_lengths": [2, 3]},
    },
}
WIDS = {
    "wids_version": 1,
    "shardlist": [{"url": "http://x/v-0.tar", "nsamples": 2}, {"url": "v-1.tar", "nsamples": 3}],
}


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("a/_info.json", TIMM, {"t-0.tar": 9, "v-0.tar": 2, "v-1.tar": 3}),
        ("a/sizes.json", {"v-0.tar": 2, "b/v-1.tar": 3}, {"v-0.tar": 2, "v-1.tar": 3}),
        ("a/index.json", WIDS, {"v-0.tar": 2, "v-1.tar": 3}),
        ("val-index.json", WIDS, {"v-0.tar": 2, "v-1.tar": 3}),
        ("sizes.json", {"v-0.tar": 0}, {}),
        ("sizes.json", {"v-0.tar": True}, {}),
        ("sizes.json", {"v-0.tar": "2"}, {}),
        ("sizes.json", [1], {}),
        ("sizes.json", {"splits": TIMM["splits"]}, {}),
        ("_info.json", {"splits": {"val": {"filenames": ["v"], "shard_lengths": []}}}, {}),
        ("_info.json", {"splits": 5}, {}),
        ("index.json", {"shardlist": [{"url": 5, "nsamples": 2}]}, {}),
        ("other.json", {"v-0.tar": 2}, {}),
    ],
)
def test_lengths_are_read_by_name(name: str, fields: object, expected: dict[str, int]) -> None:
    assert stated_lengths(name, json.dumps(fields).encode()) == expected


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000])
def test_damaged_file_states_nothing(data: bytes) -> None:
    assert stated_lengths("sizes.json", data) == {}


def test_files_that_state_lengths_are_known_by_name() -> None:
    names = ("_info.json", "d/sizes.json", "index.json", "x.json", "sizes.json.gz", "info.json")
    assert [states_lengths(name) for name in names] == [True, True, True, False, False, False]
