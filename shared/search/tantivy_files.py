"""The files of a tantivy index: whether their bytes are still those that were written.

Each file of a segment ends in a footer: JSON with the CRC-32 of all before it, its length and a magic number, both as
32-bit little-endian (tantivy's src/directory/footer.rs).
"""

import json
import struct
import zlib
from pathlib import Path

MAGIC = 1337
_TAIL = struct.Struct("<II")
_PARTS = (".fast", ".fieldnorm", ".idx", ".pos", ".store", ".term")
_PIECE_BYTES = 1 << 20


def missing_file(directory: Path) -> str | None:
    """The first file of a committed segment that is not there: the engine takes some for empty then.

    Raises ValueError where there is no readable list of segments.
    """
    names = (segment + part for segment in _segments(directory) for part in _PARTS)
    return next((f"{name} is missing" for name in names if not (directory / name).exists()), None)


def damaged_file(directory: Path) -> str | None:
    """The first file of a committed segment whose bytes have changed, None where all are whole. Reads all of them.

    Raises ValueError where there is no readable list of segments.
    """
    segments = _segments(directory)
    for path in sorted(directory.iterdir()):
        if path.name.split(".")[0] in segments and not _is_whole(path):
            return f"the bytes of {path.name} have changed"
    return None


def _segments(directory: Path) -> set[str]:
    meta = json.loads((directory / "meta.json").read_text())
    return {segment["segment_id"].replace("-", "") for segment in meta["segments"]}


def _is_whole(path: Path) -> bool:
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            file.seek(size - _TAIL.size)
            length, magic = _TAIL.unpack(file.read(_TAIL.size))
            file.seek(size - _TAIL.size - length)
            wanted = json.loads(file.read(length))["crc"]
        except (OSError, ValueError, KeyError, struct.error):
            return False
        file.seek(0)
        left, found = size - _TAIL.size - length, 0
        while left > 0 and (piece := file.read(min(left, _PIECE_BYTES))):
            found, left = zlib.crc32(piece, found), left - len(piece)
    return bool(magic == MAGIC and found == wanted)
