"""Inside the isolated process: load a model, run it, measure it, judge it.

Only these rooms import torch, transformers and openvino, and only inside functions, so that the
modules can be imported where a library is missing.
"""

import sys

# openvino and nncf take a stub where this is missing. With it, importing them starts a thread that
# reports to its maker: a test run should not, and a process with a second thread cannot be forked.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
