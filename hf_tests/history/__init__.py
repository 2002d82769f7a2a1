"""Every finished run in one database: what a run leaves, kept so that nights can be compared.

``record`` is what is kept of a run and how it is read from the run's files; ``database`` the file
and its schema; ``ingest`` what writes it; ``query`` what is asked of it; ``metrics`` which figures
are judged, and how.
"""
