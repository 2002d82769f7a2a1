"""Print OpenVINO's devices as JSON: ``python -m hf_tests.probe.openvino_devices``.

A process of its own, since asking loads OpenVINO's plugins and drivers.
"""

from __future__ import annotations

import json
from typing import Any


def found() -> list[dict[str, Any]]:
    """One object a device, with the fields of `hf_tests.hardware.Device`."""
    import openvino

    core = openvino.Core()
    devices = []
    for name in core.available_devices:
        device = "openvino" if name == "CPU" else f"openvino:{name.lower()}"
        description = str(core.get_property(name, "FULL_DEVICE_NAME"))
        devices.append({"name": device, "description": description})
    return devices


if __name__ == "__main__":
    print(json.dumps(found()))
