"""File formats by name; the module of one is imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from sfconnect.errors import ConfigurationError
from sfconnect.etl.sinks.base import Sink, SinkFactory

__all__ = ["FORMATS", "Sink", "SinkFactory", "sink_factory"]

_CLASSES: Final = {
    "arrow": ("sfconnect.etl.sinks.arrow", "ArrowSink"),
    "csv": ("sfconnect.etl.sinks.csv", "CsvSink"),
    "jsonl": ("sfconnect.etl.sinks.jsonl", "JsonlSink"),
    "parquet": ("sfconnect.etl.sinks.parquet", "ParquetSink"),
}

FORMATS: Final = tuple(_CLASSES)
"""Names of the formats; a file's name ends with the name of its format."""


def sink_factory(file_format: str) -> SinkFactory:
    """Return what makes sinks of a format.

    Raises:
        ConfigurationError: There is no such format, or it needs the extra ``arrow``.
    """
    if file_format not in _CLASSES:
        known = ", ".join(FORMATS)
        raise ConfigurationError(f"Unknown format '{file_format}'; there are {known}.")
    module_name, class_name = _CLASSES[file_format]
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise ConfigurationError(
            f"The format {file_format} needs pyarrow.", hint="pip install 'sfconnect[arrow]'"
        ) from error
    factory: SinkFactory = getattr(module, class_name)
    return factory
