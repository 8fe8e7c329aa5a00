"""Reads one picture with Tesseract, in process: orientation, words, confidence. Runs in the jail only.

Every process uses one thread (its environment says OMP_THREAD_LIMIT=1): Tesseract's own threads cost several times the
processor time they save. The engine of a set of languages is kept for the next page.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

import tesserocr
from PIL import Image

from functions.ocr.models import Quarter
from functions.ocr.pictures import turned_picture

LOWEST_WORD_CONFIDENCE = 0.20
LOWEST_LINE_CONFIDENCE = 0.40
LOWEST_CONFIDENCE_AMONG_GOOD = 0.55
GOOD_CONFIDENCE = 0.80
SURE_CONFIDENCE = 0.65
TURN_GAIN = 1.5
OTSU, SAUVOLA = "0", "2"
"""Tesseract's `thresholding_method`: one threshold for the page, or one for each spot."""


class Search(Enum):
    """What is looked for on a picture."""

    PAGE = "page"
    """Paragraphs on paper."""
    WORDS = "words"
    """Words anywhere, on ground of any shade."""
    LINE = "line"
    """The picture is one line of text, perhaps a single figure."""


SEGMENTATION = {
    Search.PAGE: tesserocr.PSM.AUTO,
    Search.WORDS: tesserocr.PSM.SPARSE_TEXT,
    Search.LINE: tesserocr.PSM.SINGLE_LINE,
}


@dataclass(frozen=True)
class ReadWord:
    """A word and its box in pixels."""

    text: str
    box: tuple[float, float, float, float]
    confidence: float


@dataclass(frozen=True)
class Reading:
    """The lines that were read on a picture after it was turned clockwise by `turn`. Boxes are in its pixels."""

    lines: tuple[tuple[ReadWord, ...], ...] = ()
    turn: Quarter = 0
    size: tuple[int, int] = (0, 0)
    script: str = ""
    """The script that was detected, if it was looked for and is sure."""

    @property
    def words(self) -> list[ReadWord]:
        return [word for line in self.lines for word in line]

    @property
    def confidence(self) -> float:
        """Mean confidence, weighted by length; 0 without words."""
        words = self.words
        characters = sum(len(word.text) for word in words)
        return sum(word.confidence * len(word.text) for word in words) / characters if characters else 0.0

    @property
    def value(self) -> float:
        """How much was read how surely; what can be doubted, or stands on its side, counts little."""
        sure = sum(len(word.text) * max(0.0, word.confidence - 0.4) for word in self.words)
        return 0.1 * sure if self.is_sideways else sure

    @property
    def is_sideways(self) -> bool:
        """Whether most words run up or down: Tesseract reads those too, where whole paragraphs stand so."""
        long = [word for word in self.words if len(word.text) > 2]
        upended = sum(word.box[3] - word.box[1] > 1.2 * (word.box[2] - word.box[0]) for word in long)
        return upended * 2 > len(long)

    @property
    def text_height(self) -> float:
        """The median height of the lines in pixels; 0 without words."""
        heights = sorted(word.box[3] - word.box[1] for word in self.words)
        return heights[len(heights) // 2] if heights else 0.0


@dataclass
class PictureReader:
    """Tesseract with the packs in `directory`; keeps one engine per set of languages."""

    directory: Path
    timeout_seconds: float
    _engines: dict[tuple[str, int], Any] = field(default_factory=dict)

    def read(
        self, picture: Image.Image, packs: Sequence[str], dpi: float, turn: Quarter = 0, search: Search = Search.PAGE
    ) -> Reading:
        """Reads a grey picture after turning it clockwise by `turn`."""
        upright = turned_picture(picture, turn)
        engine = self._engine("+".join(packs), tesserocr.PSM.AUTO)
        engine.SetPageSegMode(SEGMENTATION[search])
        engine.SetVariable("thresholding_method", SAUVOLA if search is Search.WORDS else OTSU)
        _set_picture(engine, upright, dpi)
        if not engine.Recognize(int(self.timeout_seconds * 1000)):
            return Reading(turn=turn, size=upright.size)
        lines = _without_oddities(tuple(_lines(engine.GetTSVText(0))))
        return Reading(lines=lines, turn=turn, size=upright.size)

    def orientation(self, picture: Image.Image, dpi: float) -> "Orientation | None":
        """What Tesseract's own detection says; None if there is too little text, or no pack for it."""
        if not (self.directory / "osd.traineddata").exists():
            return None
        engine = self._engine("osd", tesserocr.PSM.OSD_ONLY)
        _set_picture(engine, picture, dpi)
        found = engine.DetectOrientationScript()
        if found is None:
            return None
        turn = QUARTER_TO_UPRIGHT[found["orient_deg"]]
        return Orientation(turn, found["orient_conf"], found["script_name"], found["script_conf"])

    def _engine(self, languages: str, mode: int) -> Any:
        key = (languages, mode)
        if key not in self._engines:
            if len(self._engines) > 3:
                self._engines.popitem()[1].End()
            engine_mode = tesserocr.OEM.DEFAULT if languages == "osd" else tesserocr.OEM.LSTM_ONLY
            self._engines[key] = tesserocr.PyTessBaseAPI(
                path=str(self.directory), lang=languages, psm=mode, oem=engine_mode
            )
        return self._engines[key]


@dataclass(frozen=True)
class Orientation:
    """`turn` is the clockwise turn that sets the picture upright; confidences are Tesseract's (about 0 to 30)."""

    turn: Quarter
    confidence: float
    script: str
    script_confidence: float


QUARTER_TO_UPRIGHT: dict[int, Quarter] = {0: 0, 90: 270, 180: 180, 270: 90}


def _set_picture(engine: Any, picture: Image.Image, dpi: float) -> None:
    engine.SetImageBytes(picture.tobytes(), picture.width, picture.height, 1, picture.width)
    engine.SetSourceResolution(int(min(max(dpi, 70), 600)))


def _lines(table: str) -> Iterator[tuple[ReadWord, ...]]:
    """Parses Tesseract's TSV: level, page, block, paragraph, line, word, left, top, width, height, confidence, text."""
    line: list[ReadWord] = []
    for row in table.splitlines():
        fields = row.split("\t", 11)
        if fields[0] == "4":
            yield from _finished(line)
            line = []
        elif fields[0] == "5" and len(fields) == 12 and fields[11].strip():
            left, top, width, height, confidence = map(float, fields[6:11])
            box = (left, top, left + width, top + height)
            line.append(ReadWord(fields[11].strip(), box, min(1.0, max(0.0, confidence / 100))))
    yield from _finished(line)


def _finished(words: list[ReadWord]) -> Iterator[tuple[ReadWord, ...]]:
    """A line without what is only noise: drawn lines, speckles, textures that look a little like letters."""
    found = [word for word in words if not _is_noise(word)]
    confidence = Reading(lines=(tuple(found),)).confidence
    if confidence < LOWEST_LINE_CONFIDENCE:
        return
    # A doubtful word among good ones is a word all the same: it may be found, and the box is right.
    lowest = 0.0 if confidence >= SURE_CONFIDENCE else LOWEST_WORD_CONFIDENCE
    kept = [word for word in found if word.confidence >= lowest]
    if kept:
        yield _on_line(kept)


def _without_oddities(lines: tuple[tuple[ReadWord, ...], ...]) -> tuple[tuple[ReadWord, ...], ...]:
    """On a page that is read well, a line that is not is a picture, a signature or another script."""
    if Reading(lines=lines).confidence < GOOD_CONFIDENCE:
        return lines
    return tuple(line for line in lines if Reading(lines=(line,)).confidence >= LOWEST_CONFIDENCE_AMONG_GOOD)


def _is_noise(word: ReadWord) -> bool:
    width, height = word.box[2] - word.box[0], word.box[3] - word.box[1]
    if width < 2 or height < 2:
        return True
    if not word.text.strip("|_¦[]—-=~"):
        return True
    if not any(character.isalnum() for character in word.text):
        return word.confidence < 0.5 or max(width, height) > 12 * min(width, height)
    return False


def _on_line(words: list[ReadWord]) -> tuple[ReadWord, ...]:
    """Gives all words the height of their line, as selections have it, unless the line is slanted or mixes sizes."""
    heights = sorted(word.box[3] - word.box[1] for word in words)
    top, bottom = min(word.box[1] for word in words), max(word.box[3] for word in words)
    if bottom - top > 1.6 * heights[(3 * len(heights)) // 4]:
        return tuple(words)
    return tuple(ReadWord(word.text, (word.box[0], top, word.box[2], bottom), word.confidence) for word in words)


@lru_cache(maxsize=1)
def tesseract_version() -> str:
    return str(tesserocr.tesseract_version()).splitlines()[0].removeprefix("tesseract").strip()
