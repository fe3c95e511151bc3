"""Where an embedded database stands: what its URL means, and its file, made for its owner alone."""

import contextlib
import os
from pathlib import Path
from urllib.parse import urlsplit

PREFIX = "sqlite:///"


def is_embedded(url: str) -> bool:
    return urlsplit(url).scheme == "sqlite"


def file_of(url: str) -> Path:
    """The file that `sqlite:///path` names, seen from where the process runs unless it begins with `/`.

    Raises:
        ValueError: the URL names no file, or could be meant in two ways.
    """
    path = url.removeprefix(PREFIX)
    if path == url:
        raise ValueError("SQLite needs three slashes: sqlite:///careline.db, or sqlite:////path/careline.db")
    if not path or path.endswith("/") or path == ":memory:":
        raise ValueError("name a file: sqlite:///careline.db, or sqlite:////path/careline.db")
    return Path(path)


def make_private(file: Path) -> None:
    """See to it that the file is there. What had to be made, folders too, only its owner can read.

    SQLite gives the files that it keeps beside a database the same mode. What was there is left as it is.

    Raises:
        OSError: it cannot be made.
    """
    for folder in reversed([part for part in file.parents if not part.exists()]):
        folder.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
