"""Where what a notebook makes goes: weights, graphs, posters, and words."""

import os
import sys
import tempfile
from functools import cache
from pathlib import Path

# Where `make execute` collects what a notebook makes, before all of it is published at once.
STAGING = "GEN_UTILS_STAGING"


def output_folder() -> Path:
    """Name the folder for what this notebook makes: the staging area under `make execute`, else a temporary one."""
    return Path(os.environ.get(STAGING) or _temporary())


def say(text: str) -> None:
    """Print a line, with a question mark for a letter that the output cannot show, as σ in Windows' own encoding."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


@cache
def _temporary() -> str:
    return tempfile.mkdtemp(prefix="gen_utils-")
