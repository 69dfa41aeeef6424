"""The folder of a run: where it may lie, and what a full disk means for it."""

import errno
from pathlib import Path

import pytest

from resnext.images.sources.folders import class_folders
from tests.support.train_runs import write_pictures
from train.input.split import Images
from train.run.folder import StateError, check_outside_of_images, full_disk_explained


def test_full_disk_before_the_first_state_says_that_nothing_is_saved(tmp_path: Path) -> None:
    with pytest.raises(StateError) as caught, full_disk_explained(tmp_path / "last.safetensors"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(caught.value) == (
        f"{tmp_path}/last.safetensors: No space left on device; make room, then begin anew with "
        "--force: no state is saved yet"
    )


def test_run_in_a_hidden_folder_among_the_images_is_taken(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "images", each=1)
    images = class_folders(root)
    both = Images(train=images, val=images)
    check_outside_of_images(root / ".runs" / "a", both)
    with pytest.raises(StateError, match="outside of the images expected"):
        check_outside_of_images(root / "runs" / ".a", both)
