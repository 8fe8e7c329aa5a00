"""Speed and accuracy of text recognition, against the bare `tesseract` command and bare tesserocr, in one run.

    python -m bench.ocr [--pages 12] [--dpi 300] [--languages eng+deu]

The scanned pages are made here: text, slightly blurred, with noise, stored as JPEG in a PDF. Prints pages per minute
and processor seconds per page, each also as a ratio (higher is better for ours), and the character error rate of each.
"""

import argparse
import io
import os
import random
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_THREAD_LIMIT", "1")

import img2pdf
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from functions.ocr.client import JailedPdfTools, TesseractOcrEngine, usable_cores, worker_pool
from functions.ocr.languages import data_directory
from functions.ocr.settings import OcrSettings

FONTS = ("LiberationSerif-Regular.ttf", "LiberationSans-Regular.ttf", "DejaVuSans.ttf")
SENTENCES = (
    "The quick assessment of incoming letters shows that most invoices arrive between Monday and Thursday.",
    "Payment is due within thirty days of the invoice date, unless the contract says otherwise.",
    "Please transfer the amount of 1,234.56 EUR to the account named below and give the reference number 2024-00817.",
    "The warranty covers parts and labour for twenty-four months; returned goods must be packed safely.",
    "Sehr geehrte Damen und Herren, hiermit übersenden wir Ihnen die Rechnung für die im März ausgeführten Arbeiten.",
    "Bitte überweisen Sie den Betrag von 987,60 EUR innerhalb von dreißig Tagen auf das unten genannte Konto.",
    "Für Rückfragen stehen wir Ihnen täglich zwischen 8:30 und 17:00 Uhr gern zur Verfügung.",
)


@dataclass(frozen=True)
class ScanPage:
    """A page as a scanner delivers it: JPEG data, and the text that stands on it."""

    jpeg: bytes
    text: str


@dataclass(frozen=True)
class Result:
    name: str
    wall_seconds: float
    cpu_seconds: float
    texts: tuple[str, ...]


def scan_page(seed: int, dpi: int) -> ScanPage:
    """A4 page of a letter's length in 10 to 12 points; the same seed gives the same page."""
    chance = random.Random(seed)
    size = (int(8.27 * dpi), int(11.69 * dpi))
    paper = Image.new("L", size, 248)
    points = chance.choice((10, 11, 12))
    font = ImageFont.truetype(chance.choice(FONTS), int(points * dpi / 72))
    lines = _typeset(chance, font, size[0] - 2 * dpi)[:34]
    draw = ImageDraw.Draw(paper)
    for at, line in enumerate(lines):
        draw.text((dpi, dpi + at * int(points * 1.5 * dpi / 72)), line, font=font, fill=35)
    blurred = paper.filter(ImageFilter.GaussianBlur(0.4 * dpi / 200))
    noise = Image.effect_noise(size, 18)
    noisy = ImageChops.add(blurred, noise, 1, -128)
    buffer = io.BytesIO()
    noisy.save(buffer, "JPEG", quality=80, dpi=(dpi, dpi))
    return ScanPage(buffer.getvalue(), "\n".join(lines))


def _typeset(chance: random.Random, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for _ in range(40):
        for word in chance.choice(SENTENCES).split():
            longer = f"{lines[-1]} {word}".strip()
            if font.getlength(longer) > width:
                lines.append(word)
            else:
                lines[-1] = longer
    return lines


def character_error_rate(truth: str, found: str) -> float:
    """Levenshtein distance over the length of the truth, spaces and line ends counted as one space."""
    expected, actual = " ".join(truth.split()), " ".join(found.split())
    row = list(range(len(actual) + 1))
    for at, character in enumerate(expected, 1):
        previous, row[0] = row[0], at
        for column, other in enumerate(actual, 1):
            previous, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, previous + (character != other)),
            )
    return row[-1] / max(1, len(expected))


def bare_command(pages: Sequence[ScanPage], languages: str, cores: int) -> tuple[str, ...]:
    """`tesseract page.jpg -`, as many at a time as there are cores."""
    with tempfile.TemporaryDirectory() as directory:
        waiting = list(enumerate(pages))
        running: dict[subprocess.Popen[bytes], int] = {}
        texts = [""] * len(pages)
        while waiting or running:
            while waiting and len(running) < cores:
                number, page = waiting.pop(0)
                path = Path(directory, f"{number}.jpg")
                path.write_bytes(page.jpeg)
                command = ["tesseract", str(path), str(path.with_suffix("")), "-l", languages]
                running[subprocess.Popen(command, stderr=subprocess.DEVNULL)] = number
            process = next(iter(running))
            process.wait()
            number = running.pop(process)
            texts[number] = Path(directory, f"{number}.txt").read_text(encoding="utf-8")
        return tuple(texts)


def bare_tesserocr(pages: Sequence[ScanPage], languages: str, cores: int) -> tuple[str, ...]:
    """tesserocr on each picture at its own size, in as many processes as there are cores."""
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        texts = pool.starmap(_read_with_tesserocr, [(page.jpeg, languages) for page in pages], chunksize=1)
        pool.close()
        pool.join()
    return tuple(texts)


_engines: dict[str, object] = {}


def _read_with_tesserocr(jpeg: bytes, languages: str) -> str:
    import tesserocr

    if languages not in _engines:
        _engines[languages] = tesserocr.PyTessBaseAPI(path=str(data_directory()), lang=languages)
    engine = _engines[languages]
    with Image.open(io.BytesIO(jpeg)) as picture:
        engine.SetImage(picture)  # type: ignore[attr-defined]  # tesserocr carries no types
        return str(engine.GetUTF8Text())  # type: ignore[attr-defined]


def ours(pages: Sequence[ScanPage], languages: str, cores: int) -> tuple[str, ...]:
    """The whole work of the function on a PDF of these pages: inspect, recognize, assemble the searchable PDF."""
    settings = OcrSettings(ocr_languages=languages, ocr_workers=cores)
    pool = worker_pool(settings)
    tools, engine = JailedPdfTools(pool, settings), TesseractOcrEngine(pool, settings)
    with tempfile.TemporaryDirectory() as directory:
        pdf = Path(directory, "scan.pdf")
        pdf.write_bytes(img2pdf.convert([page.jpeg for page in pages]))
        try:
            plans = tools.inspect(pdf)
            found = engine.recognize(pdf, plans)
            assembled = tools.assemble(pdf, plans, found, Path(directory, "searchable.pdf"), engine.name)
        finally:
            pool.close()
    return tuple(page.text for page in assembled.text.pages)


def measure(name: str, work: Callable[[], tuple[str, ...]]) -> Result:
    """Wall time, and processor time of this process and of all its (ended) children."""
    before, start = _cpu_seconds(), time.perf_counter()
    texts = work()
    return Result(name, time.perf_counter() - start, _cpu_seconds() - before, texts)


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=12)
    parser.add_argument("--dpi", type=int, default=300)
    parser.add_argument("--languages", default="eng+deu")
    arguments = parser.parse_args()
    cores = usable_cores()
    pages = [scan_page(seed, arguments.dpi) for seed in range(arguments.pages)]
    results = [measure("docuelevate", lambda: ours(pages, arguments.languages, cores))]
    results.append(measure("tesserocr", lambda: bare_tesserocr(pages, arguments.languages, cores)))
    if shutil.which("tesseract"):
        results.append(measure("tesseract", lambda: bare_command(pages, arguments.languages, cores)))
    print(f"{len(pages)} scanned pages at {arguments.dpi} dpi, {arguments.languages}, {cores} cores")
    print(f"{'':12} {'pages/min':>10} {'CPU s/page':>11} {'CER':>7} {'ours is faster by':>18} {'uses less CPU by':>17}")
    for result in results:
        errors = [character_error_rate(page.text, text) for page, text in zip(pages, result.texts, strict=True)]
        print(
            f"{result.name:12} {60 * len(pages) / result.wall_seconds:10.1f} {result.cpu_seconds / len(pages):11.2f} "
            f"{sum(errors) / len(errors):7.2%} {result.wall_seconds / results[0].wall_seconds:17.2f}x "
            f"{result.cpu_seconds / results[0].cpu_seconds:16.2f}x"
        )


if __name__ == "__main__":
    main()
