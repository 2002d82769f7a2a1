"""Old runs' folders removed, what the history needs of them kept in the archive."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from hf_tests.history import ingest, record
from hf_tests.history.record import RecordError
from hf_tests.nightly.store import RunFolder
from hf_tests.nightly.usage import UsageError

DOOMED = ".pruned-"
"""What a folder's name begins with while it is removed; one that was killed meanwhile goes next."""


def prune(results: Path, keep: int) -> tuple[str, ...]:
    """Keep the folders of the newest finished runs, archive and remove older ones; what failed.

    A run that was interrupted stays, since it may be resumed. At any moment a run is whole in its
    folder, in the archive, or in both, so that a process that is killed loses nothing.
    """
    notes = []
    for left in results.glob(f"{DOOMED}*"):
        shutil.rmtree(left, ignore_errors=True)
    for folder in list(_finished(results))[keep:]:
        run = RunFolder(results, folder.name)
        try:
            run.lock()
            found = record.read_run(folder)
            archive = ingest.archive_path(results, folder.name)
            record.write_archive(archive, found)
            if record.read_archive(archive) != found:
                raise RecordError(f"{archive} does not read as it was written")
            doomed = folder.rename(results / f"{DOOMED}{folder.name}")
            shutil.rmtree(doomed)
        except (RecordError, UsageError, OSError) as error:
            notes.append(f"{folder.name} was not pruned: {error}")
        finally:
            run.unlock()
    return tuple(notes)


def _finished(results: Path) -> Iterator[Path]:
    """The folders of finished runs, the newest first."""
    for path in sorted(results.glob("[!.]*/run.json"), reverse=True):
        if not path.parent.is_symlink() and record.is_finished(path.parent):
            yield path.parent
