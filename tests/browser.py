"""A headless Chromium for tests and benchmarks, or the reason why there is none."""

from __future__ import annotations

import os
import shutil
from typing import Any

INSTALL = "apt-get install chromium chromium-driver, and python -m pip install selenium"


def missing() -> str | None:
    """What has to be installed; None where a browser can be had."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return f"selenium is not installed: {INSTALL}"
    lacking = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    return f"no {' and no '.join(lacking)} here: {INSTALL}" if lacking else None


def start(width: int = 1280, height: int = 900) -> Any:
    """A browser that keeps what pages write to their console."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium has none for root
    options.add_argument(f"--window-size={width},{height}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
