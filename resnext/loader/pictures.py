"""Pictures of an image set, read, decoded and prepared one by one."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from resnext.errors import DownloadError, ResnextError
from resnext.images.image_set import PictureSet
from resnext.images.names import brief
from resnext.loader.batch import Batch, Failure, Sample, Seconds, collated
from resnext.loader.library_warnings import Listener, Printed
from resnext.loader.packing import Column, Input, OwnMemory
from resnext.pixels.decoding import Picture, PictureForm, PixelMemory, decode_picture

# A preparation: pixels (H, W, 3) uint8 and the image's position -> network input float32, or a raw
# crop that a device scales; picklable. The position is for what depends on the image, such as
# random numbers. What it returns may be a view of the pixels.
Prepare = Callable[[NDArray[np.uint8], int], Input]

# Format -> suffixes of its files.
SUFFIXES: Final = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",)}


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Reads, decodes and prepares images; picklable.

    Attributes:
        images: the image set.
        prepares: each is applied to every image.
        listener: of the process that reads.
        memory: of the pixels, one picture after the other.
    """

    images: PictureSet
    prepares: Sequence[Prepare]
    listener: Listener
    memory: PixelMemory = field(default_factory=PixelMemory)

    def read(self, position: int) -> Sample | Failure:
        """Return what the preparations make of an image, or why that cannot be done.

        Inputs may be views of the pixels, which the next image overwrites.

        Raises:
            DownloadError: the file in which it lies cannot be fetched.
        """
        printed = Printed()
        try:
            begin = time.perf_counter()
            data = self.images.reader.read(position)
            read = time.perf_counter()
            with self.listener.listening() as printed:
                picture = self._decoded(data)
            decoded = time.perf_counter()
            inputs = tuple(prepare(picture.pixels, position) for prepare in self.prepares)
            prepared = time.perf_counter()
        except DownloadError:
            raise  # no fault of this picture: no other one of its file will come either
        except ResnextError as error:
            text, name = str(error), self.images.ids[position]
            reason = text if name in text else f"{brief(name)}: {text}"
            return Failure(position=position, reason=reason, printed=printed)
        seconds = Seconds(
            reading=read - begin, decoding=decoded - read, preparing=prepared - decoded
        )
        form = form_of(picture, self.images.ids[position])
        return Sample(position, inputs, form, seconds, printed)

    def read_into(
        self, positions: Sequence[int], columns: Sequence[Column]
    ) -> list[Sample | Failure]:
        """Read images, and write at once what each preparation makes of them to its column.

        Returns:
            What came of each image, without its inputs.
        """
        images: list[Sample | Failure] = []
        for position in positions:
            image = self.read(position)
            if isinstance(image, Sample):
                for column, made in zip(columns, image.inputs, strict=True):
                    column.add(made)
                image = replace(image, inputs=())
            images.append(image)
        return images

    def batch(self, positions: Sequence[int]) -> Batch:
        """Return the batch of some images, in memory of this process."""
        columns = [Column(len(positions), OwnMemory().enlarge) for _ in self.prepares]
        batch = collated(self.read_into(positions, columns))
        return replace(batch, inputs=tuple(each.tensors() for each in columns if len(each)))

    def _decoded(self, data: bytes) -> Picture:
        decode = self.images.decode
        return decode_picture(data, self.memory) if decode is decode_picture else decode(data)


def form_of(picture: Picture, name: str) -> str | None:
    """Return what is unusual about a picture: its channels, or a suffix of another format."""
    suffix = PurePath(name).suffix.lower()
    others = (kind for kind in SUFFIXES if kind != picture.format)
    misnamed = any(suffix in SUFFIXES[kind] for kind in others)
    parts = [picture.form.value] if picture.form is not PictureForm.RGB else []
    parts += [f"{picture.format} named {suffix}"] if misnamed else []
    return ", ".join(parts) or None
