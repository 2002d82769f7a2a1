"""Forecasters: what comes next in a series of numbers."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_timeseries.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import series
from hf_tests.probe.properties.base import Loaded


class TestTimeseries(family.FamilyTestCase):
    """The timeseries family of the registry."""

    family = "timeseries"

    def property_batch(self, loaded: Loaded) -> None:
        """Series beside it in a batch do not change a series' forecast."""
        series.series_beside_change_nothing(loaded)

    def property_past(self, loaded: Loaded) -> None:
        """Every quarter of the past counts."""
        series.whole_past_is_read(loaded)

    def property_units(self, loaded: Loaded) -> None:
        """Another unit and another zero change a forecast as they change the series."""
        series.units_carry_over(loaded)


if __name__ == "__main__":
    module_cli.main(TestTimeseries)
