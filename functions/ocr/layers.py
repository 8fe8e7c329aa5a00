"""Keeps the text layers of the document that was inspected last, since its assembly needs them again. In the jail only.

The next call may come to another process, or for another document: what is not there is read again.
"""

import hashlib
from pathlib import Path

from functions.ocr.textlayer import TextLayer

MAX_WORDS = 50_000
"""About 100 dense pages; they take some 40 MB."""


class PageLayers:
    """Text layers of one document, by page number; keeps no more than `max_words` words."""

    def __init__(self, max_words: int = MAX_WORDS) -> None:
        self._layers: dict[int, TextLayer] = {}
        self._room = max_words

    def get(self, number: int) -> TextLayer | None:
        return self._layers.get(number)

    def keep(self, number: int, layer: TextLayer) -> None:
        words = sum(len(line.words) for line in (*layer.visible, *layer.hidden))
        if words <= self._room:
            self._room -= words
            self._layers[number] = layer


class LayerMemory:
    """The layers of one document, known by its content: each call has a copy of the file under another name."""

    def __init__(self) -> None:
        self._digest = b""
        self._layers = PageLayers()

    def of(self, path: Path) -> PageLayers:
        """Those of the document in the file; those of any other are forgotten."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        if digest != self._digest:
            self._digest, self._layers = digest, PageLayers()
        return self._layers

    def forget(self) -> None:
        self._digest, self._layers = b"", PageLayers()
