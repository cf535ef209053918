"""Where what a notebook makes goes: weights, graphs, posters."""

import os
import tempfile
from functools import cache
from pathlib import Path

# Where `make execute` collects what a notebook makes, before all of it is published at once.
STAGING = "GEN_UTILS_STAGING"


def output_folder() -> Path:
    """Name the folder for what this notebook makes: the staging area under `make execute`, else a temporary one."""
    return Path(os.environ.get(STAGING) or _temporary())


@cache
def _temporary() -> str:
    return tempfile.mkdtemp(prefix="gen_utils-")
