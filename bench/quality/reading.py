"""PDF bytes to `DocumentText`, read by the very code of the ocr step, in this process."""

import tempfile
from functools import cache
from pathlib import Path

from functions.ocr.inspection import inspect_document
from functions.ocr.models import PageKind, PagePlan, RecognizedPage
from functions.ocr.recognition import PageRecognizer
from functions.ocr.searchable import page_texts
from functions.ocr.tesseract import PictureReader
from functions.ocr.worker import _open
from shared.documents import DocumentText

MAX_PIXELS = 200_000_000
TIMEOUT_SECONDS = 120.0
