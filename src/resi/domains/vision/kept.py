"""One file of decoded images, mapped into memory, and the seal beside it that says that it is whole.

The images stand one after the other without anything between. The seal is written last, so that a file without one is
of a process that was stopped, and is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resi.console import say, time_taken
from resi.domains.vision.images import Decoded
from resi.domains.vision.resampling import turned
from resi.domains.vision.transforms import resize
from resi.errors import ArtifactError, StoreError
from resi.fingerprints import file_state, fingerprint, hash_file
from resi.machine.memory import format_bytes
from resi.machine.resources import job_cores
from resi.store.files import atomic_path, make_folder, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from PIL.Image import Image

    from resi.domains.vision.images import OnDisk, Pixels

FORMAT = 1
"""Version of the file format."""
COLOURS = 3
AHEAD = 4
"""Images that each thread may be ahead of the one that is written."""
COMPARED = 4
"""Images of a file that are compared with those they were made from before it is used."""
QUIET_SECONDS = 10.0


@dataclass(frozen=True)
class KeptFile:
    """Where decoded images of a source are kept.

    Attributes
    ----------
    path : Path
    source : OnDisk
    side : int or None
        Height and width that they have been brought to; None for images as they are.
    key : str
        Hash of what they are made from and how.
    """

    path: Path
    source: OnDisk
    side: int | None
    key: str

    @classmethod
    def of(cls, folder: Path, content: str, source: OnDisk, side: int | None) -> KeptFile:
        """Return where the images of a source are kept below a folder.

        Parameters
        ----------
        content : str
            Hash of the dataset's files.
        """
        key = fingerprint({"format": FORMAT, "content": content, "names": list(source.names), "side": side})
        kind = "decoded" if side is None else f"{side}x{side}"
        return cls(folder / f"{kind}-{key[:16]}.pixels", source, side, key)

    @property
    def seal(self) -> Path:
        """The file beside it that says that it is whole."""
        return self.path.with_suffix(".json")

    def estimated_bytes(self, sampled: int) -> int:
        """Return about how many bytes it takes, from the sizes of some evenly spaced images."""
        count = len(self.source.names)
        if self.side is not None:
            return count * _bytes_of(self.side, self.side)
        some = np.linspace(0, count - 1, min(sampled, count)).astype(int)
        return round(float(np.mean([_bytes_of(*self.source.size(int(index))) for index in some])) * count)

    def open(self) -> KeptImages | None:
        """Return the images; None if there is no whole file.

        Raises
        ------
        ArtifactError
            If the file is damaged, or its images are not those that the source has.
        """
        try:
            seal = json.loads(self.seal.read_text(encoding="utf-8"))
            sizes = np.array(seal["sizes"], np.int64).reshape(-1, 2)
            expected, digest, state = self._expected(sizes), str(seal["sha256"]), seal["state"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise ArtifactError(f"{self.seal} is damaged ({error})") from error
        if seal.get("key") != self.key or expected is None:
            raise ArtifactError(f"{self.seal} belongs to other images")
        self._check(sizes, expected, digest, state)
        return KeptImages(self.path, sizes, self.side)

    def _expected(self, sizes: Any) -> int | None:
        """Return the bytes of images of these sizes; None if they cannot be those of the source."""
        if len(sizes) != len(self.source.names) or (sizes < 1).any():
            return None
        return int((sizes[:, 0] * sizes[:, 1]).sum()) * COLOURS

    def _check(self, sizes: Any, expected: int, digest: str, state: object) -> None:
        """Check the pixels: by size, by hash where the file is not known to be unchanged, and some with the source."""
        found = file_state(self.path) or (0,)
        if found[0] != expected:
            raise ArtifactError(f"{self.path} is damaged: it has {found[0]} bytes instead of {expected}")
        if list(found) != state:
            say(f"checking {format_bytes(expected)} in {self.path}, which has been copied or written to")
            if hash_file(self.path) != digest:
                raise ArtifactError(f"{self.path} is damaged: its hash differs")
            with contextlib.suppress(StoreError):  # of a data root that can only be read: it is hashed each time
                self._write_seal(sizes, digest)
        images = KeptImages(self.path, sizes, self.side)
        for index in dict.fromkeys(np.linspace(0, len(sizes) - 1, COMPARED).astype(int).tolist()):
            if not np.array_equal(images.stored(index), _pixels(self.source[index], self.side)):
                raise ArtifactError(f"{self.path} has other pixels than {self.source.names[index]}")

    def make(self) -> None:
        """Decode all images, and write and seal the file.

        Raises
        ------
        StoreError
            If there is too little space, or the file cannot be written. Nothing is left behind.
        DatasetError
            If an image cannot be read.
        """
        count = len(self.source.names)
        make_folder(self.path.parent)
        self.seal.unlink(missing_ok=True)
        with _Threads() as threads:
            sizes = self._sizes(threads)
            self._check_space(sum(_bytes_of(*size) for size in sizes))
            digest, told = hashlib.sha256(), _Told(count)
            with atomic_path(self.path) as temporary:
                with temporary.open("wb") as file:
                    for index, pixels in enumerate(threads.each(self._decode, range(count))):
                        if pixels.nbytes != _bytes_of(*sizes[index]):
                            raise StoreError(f"{self.source.names[index]} has another size than its first bytes say")
                        file.write(pixels.data)
                        digest.update(pixels.data)
                        told(index + 1)
        self._write_seal(np.array(sizes, np.int64), digest.hexdigest())

    def _check_space(self, total: int) -> None:
        free = shutil.disk_usage(self.path.parent).free
        about = f"{len(self.source.names)} decoded images take {format_bytes(total)} in {self.path}"
        if total > free:
            raise StoreError(f"{about}, where {format_bytes(free)} are free.")
        say(f"{about}, where {format_bytes(free)} are free: decoding them once")

    def _sizes(self, threads: _Threads) -> Sequence[tuple[int, int]]:
        count = len(self.source.names)
        if self.side is not None:
            return [(self.side, self.side)] * count
        return list(threads.each(self.source.size, range(count)))

    def _decode(self, index: int) -> Pixels:
        return _pixels(self.source[index], self.side)

    def _write_seal(self, sizes: Any, digest: str) -> None:
        state = file_state(self.path)
        seal = {"key": self.key, "sha256": digest, "state": list(state or ()), "sizes": sizes.tolist()}
        write_text(self.seal, json.dumps(seal))

    def remove(self) -> None:
        """Delete the file and its seal; where that cannot be done they are written over."""
        for path in (self.seal, self.path):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


class KeptImages:
    """Decoded images in a file, which each process maps for itself.

    Parameters
    ----------
    path : Path
    sizes : array of shape (n_images, 2)
        Widths and heights.
    side : int or None
        Height and width that they have been brought to; None for images as they are.
    """

    def __init__(self, path: Path, sizes: Any, side: int | None) -> None:
        self._path = path
        self._sizes = sizes
        self._side = side
        self._starts = np.concatenate([[0], np.cumsum(sizes[:, 0] * sizes[:, 1] * COLOURS)])
        self._mapped: Any = None

    def __getitem__(self, index: int) -> Image:
        """Return one image."""
        from PIL import Image

        found = self.decoded(index)
        return found.image() if isinstance(found, Decoded) else Image.fromarray(found)

    def decoded(self, index: int) -> Decoded | Pixels:
        """Return one image as it is, or the pixels of one that has been brought to a size."""
        return Decoded(self.stored(index)) if self._side is None else self.stored(index)

    def stored(self, index: int) -> Pixels:
        """Return what is stored of an image: columns of one as it is, rows of one that has been brought to a size."""
        if self._mapped is None:
            self._mapped = np.memmap(self._path, np.uint8, mode="r")
        width, height = self._sizes[index]
        pixels = self._mapped[self._starts[index] : self._starts[index + 1]]
        return np.asarray(pixels).reshape(width, height, COLOURS)  # of a square, in either order

    def __getstate__(self) -> dict[str, Any]:
        """Leave the mapped pixels out: what is sent to another process would be the whole file."""
        return {**self.__dict__, "_mapped": None}


class _Threads:
    """Threads that decode images, as many as the job may use cores; Pillow lets others run meanwhile."""

    def __init__(self) -> None:
        self._count = job_cores(os.environ)
        self._pool = ThreadPoolExecutor(self._count)

    def __enter__(self) -> _Threads:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def each(self, function: Callable[[int], Any], indices: Sequence[int]) -> Iterator[Any]:
        """Yield the results of a function for each index, in order, computed a little ahead of the consumer."""
        waiting: deque[Any] = deque()
        for index in indices:
            waiting.append(self._pool.submit(function, index))
            if len(waiting) > self._count * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Told:
    """Reports progress every ten seconds."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._last = time.monotonic()
        self._first: tuple[float, int] | None = None

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        self._first = self._first or (now, done)  # before, the processes are started
        if now - self._last >= QUIET_SECONDS and done < self._total:
            self._last = now
            began, before = self._first
            left = (now - began) / max(done - before, 1) * (self._total - done)
            forecast = f", about {time_taken(left)} to go" if done > before else ""
            say(f"decoding images: {done}/{self._total}{forecast}")


def _pixels(image: Image, side: int | None) -> Pixels:
    """Return what is stored of an image."""
    return turned(np.asarray(image)) if side is None else np.asarray(resize(image, side))


def _bytes_of(width: int, height: int) -> int:
    return width * height * COLOURS
