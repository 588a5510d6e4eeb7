"""Names of files and folders that are made of what is typed."""

import re

LONGEST = 143  # bytes of a name on an encrypted disk (eCryptfs); elsewhere 255


def file_name(text: str) -> str:
    """Return a name that every file system takes: letters of any script, digits, `_ . + -`; cut where it is long."""
    return shorten(re.sub(r"[^\w.+-]+", "-", text), LONGEST)


def shorten(text: str, n_bytes: int) -> str:
    """Return a text of at most so many bytes as UTF-8: of a longer one the beginning and the end, in whole letters."""
    data = text.encode("utf-8", "replace")
    if len(data) <= n_bytes:
        return data.decode()
    half = (n_bytes - 2) // 2
    return "..".join(part.decode(errors="ignore") for part in (data[:half], data[len(data) - half :]))
