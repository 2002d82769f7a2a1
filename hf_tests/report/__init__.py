"""What a run's files say, made readable: the HTML report, and formats that other tools read.

Everything here reads a run's folder through `hf_tests.report.reading` and changes nothing in it
but the report itself.
"""
