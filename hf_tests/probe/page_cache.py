"""How much of a checkpoint is in the system's page cache: whether loading it reads the disk."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from pathlib import Path


def share(folder: str | Path) -> float | None:
    """The part of the bytes of a folder's files that is in memory, 0 to 1.

    None where there is nothing to read, or on a system other than Linux. The kernel tells only of
    files that the process owns or may write (mincore(2)), and calls those of others cached.
    """
    if not sys.platform.startswith("linux"):
        return None
    cached, size = 0, 0
    for path in Path(folder).rglob("*"):
        if path.is_file():
            found = _cached_bytes(path)
            if found is None:
                return None
            cached += found
            size += path.stat().st_size
    return cached / size if size else None


def _cached_bytes(path: Path) -> int | None:
    size = path.stat().st_size
    if size == 0:
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (
        *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int),
        *(ctypes.c_int, ctypes.c_int, ctypes.c_long),
    )
    libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        # Python's own mapping does not tell its address while it is read-only.
        address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    finally:
        os.close(descriptor)
    if address in (None, ctypes.c_void_p(-1).value):
        return None
    try:
        pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
        if libc.mincore(address, size, pages) != 0:
            return None
    finally:
        libc.munmap(address, size)
    resident = sum(1 for page in pages.raw if page & 1)
    return min(size, resident * mmap.PAGESIZE)
