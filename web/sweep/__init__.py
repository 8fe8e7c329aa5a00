"""Finds what stands still, got lost or went wrong, and puts it right (docs/architecture.md). A module per concern."""

from web.sweep.indexing import INDEX_PATIENCE
from web.sweep.round import PATIENCE, STILL_WRITING
from web.sweep.sweep import Sweep
from web.sweep.swept import Deed, Kind, Swept

__all__ = ["INDEX_PATIENCE", "PATIENCE", "STILL_WRITING", "Deed", "Kind", "Sweep", "Swept"]
