"""Foreign text as the commands print it: by the core's rule, which the worker keeps logs by, too."""

from wheelyard.foreign_text import clean, clean_block, clean_document

__all__ = ["clean", "clean_block", "clean_document"]
