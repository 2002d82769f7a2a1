"""What the report costs: ``python benchmarks/report.py``.

A run of 1,500 checks is made by hand (500 models on three devices, one check in ten gone wrong with
a traceback and a log), on top of a number of earlier nights. Prints the machine and a table: the
page's size, the seconds to write it in a fresh interpreter, and the seconds until headless Chromium
has loaded it and answered to a filter (the least of several loads).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hf_tests import hardware
from hf_tests.outcome import CheckResult
from tests import browser, made, support

LOADS = 5
LIMIT_MIB, LIMIT_WRITE_S, LIMIT_USABLE_S = 3.0, 2.0, 1.0
FAMILIES = 25


def checks(count: int, night: int) -> list[CheckResult]:
    """The checks of one night; a tenth of them is wrong."""
    found = []
    for place in range(count // 3):
        model, family = (
            f"owner-{place % 40}/model-{place}-base-uncased",
            f"family{place % FAMILIES}",
        )
        for device, method in (
            ("cpu", "from_pretrained"),
            ("cuda:0", "pipeline"),
            ("openvino", "openvino"),
        ):
            if (place * 3 + night) % 10 == 0 and device == "cuda:0":
                text = f"RuntimeError: CUDA error in layer {place}\n" * 40
                says = {"traceback": text, "log_tail": text, "family": family}
                found.append(made.bad(model, "error", "cuda_error", device, method, **says))
            else:
                found.append(made.passed(model, device, method, family=family))
    return found


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds that a command takes, and those of the processor: others may be busy meanwhile."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, used


def usable(path: Path) -> float:
    """Seconds from asking for the page until it has answered to a filter."""
    driver = browser.start()
    try:
        least = float("inf")
        for _ in range(LOADS):
            driver.get("about:blank")
            start = time.perf_counter()
            driver.get(path.as_uri())
            shown = driver.execute_script(
                "const choice = document.querySelector('[name=status]'); choice.value = 'error';"
                "choice.dispatchEvent(new Event('input', {bubbles: true}));"
                "document.body.getBoundingClientRect();"
                "return document.querySelector('#shown').textContent"
            )
            least = min(least, time.perf_counter() - start)
            if " of " not in shown:
                raise SystemExit(f"the filter has not answered: {shown}")
        return least
    finally:
        driver.quit()


def main() -> None:
    """Parse the command line, make the runs, measure, print; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description="What the report of a large run costs.")
    parser.add_argument("--checks", type=int, default=1500, help="default: %(default)s")
    parser.add_argument("--nights", type=int, default=30, help="default: %(default)s")
    options = parser.parse_args()
    machine = hardware.detect()
    print(
        f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}\n"
    )
    with tempfile.TemporaryDirectory() as temporary:
        results = Path(temporary)
        for night in range(options.nights):
            stamp = f"2026{night // 28 + 1:02}{night % 28 + 1:02}"
            started = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:]}T02:30:00Z"
            run_id = f"{stamp}T023000Z-bench"
            folder = made.write(results, checks(options.checks, night), run_id, started=started)
        command = [sys.executable, str(support.ROOT / "runner.py"), "report"]
        command += ["--results-dir", str(results)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # takes in the nights
        wrote, busy = timed(command)
        path = folder.path / "report.html"
        size = path.stat().st_size / 1024**2
        missing = browser.missing()
        seconds = None if missing else usable(path)
        index, _ = timed([*command, "--index"])
    rows = (
        ("size", size, "MiB", LIMIT_MIB),
        ("written in", wrote, "s", LIMIT_WRITE_S),
        ("  processor time", busy, "s", None),
        ("usable in", seconds, "s", LIMIT_USABLE_S),
        ("index written in", index, "s", None),
    )
    print(f"{options.checks} checks, {options.nights} nights")
    for name, value, unit, limit in rows:
        said = missing if value is None else f"{value:6.2f} {unit}"
        print(f"{name:17} {said}" + (f"  (limit {limit:.0f} {unit})" if limit else ""))
    sys.exit(any(value is not None and limit and value > limit for _, value, _, limit in rows))


if __name__ == "__main__":
    main()
