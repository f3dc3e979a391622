"""Move whole objects: plan, read, write, prove."""

from __future__ import annotations

from sfconnect.etl.extraction import extract
from sfconnect.etl.report import ExtractReport, ObjectReport, Progress
from sfconnect.etl.sinks import FORMATS
from sfconnect.etl.tally import CallTally

__all__ = ["FORMATS", "CallTally", "ExtractReport", "ObjectReport", "Progress", "extract"]
