"""Inside the isolated process: load a model, run it, measure it, judge it.

Only these rooms import torch, transformers and openvino, and only inside functions, so that the
modules can be imported where a library is missing.
"""
