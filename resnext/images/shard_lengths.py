"""How many samples shards have, where a file beside them states it.

Three conventions are read: `_info.json`, which timm writes; `sizes.json` of webdataset and
open_clip, an object of file names and numbers; and the index of `wids`, with its `shardlist`.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from resnext.fields import COUNT_LIMIT, is_whole

INFO: Final = "_info.json"
SIZES: Final = "sizes.json"
INDEX: Final = "index.json"  # the end of its name
MOST: Final = 1 << 22  # bytes of such a file


def states_lengths(name: str) -> bool:
    """Tell by its name whether a file may state how many samples the shards beside it have."""
    return _reader(name) is not None


def stated_lengths(name: str, data: bytes) -> dict[str, int]:
    """Return what a file states: name of a shard, without its folder -> number of its samples.

    Args:
        name: of the file.
        data: its bytes; {} is returned for those that do not have the form of its name.
    """
    reader = _reader(name)
    try:
        found = reader(json.loads(data)) if reader else {}
        names = {PurePosixPath(shard).name: length for shard, length in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    fits = all(is_whole(each) and 0 < int(each) < COUNT_LIMIT for each in names.values())
    return {shard: int(each) for shard, each in names.items()} if fits else {}


def _reader(name: str) -> Callable[[Any], Mapping[str, Any]] | None:
    file = PurePosixPath(name).name
    if file.endswith(INDEX):
        return _of_wids
    return {INFO: _of_timm, SIZES: _of_webdataset}.get(file)


def _of_timm(fields: Any) -> dict[str, Any]:
    return {
        name: length
        for split in fields["splits"].values()
        for name, length in zip(split["filenames"], split["shard_lengths"], strict=True)
    }


def _of_webdataset(fields: Any) -> dict[str, Any]:
    return dict(fields)


def _of_wids(fields: Any) -> dict[str, Any]:
    return {shard["url"]: shard["nsamples"] for shard in fields["shardlist"]}
