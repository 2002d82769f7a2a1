"""Ranges of versions, and what is said of libraries that are outside of them."""

from __future__ import annotations

import configparser
import itertools
import os
import sys
import unittest
import unittest.mock

from hf_tests import dependencies, versions
from hf_tests.probe import tasks
from tests import support

NOT_FROM_PYPI = {
    "detectron2": "it is not there",
    "natten": "what is there has to be compiled, for one torch and one CUDA",
    "torchaudio": "each version wants one version of torch, and would replace the installed one",
}
"""What models need and the extra cannot bring, and why."""

INSTALLED = (
    "1.0", "1.0.0", "1.2.3", "1.10", "2.0.0rc1", "2.0.0.dev3", "2.0", "2.0.1+cpu", "4.57.6",
    "5", "5.5.4", "2026.4.1",
)  # fmt: skip
RANGES = (
    "", ">=1.2", ">1.2.3", "<2", "<=2.0", "==2.0.*", "==1.0", "!=1.10", "~=1.2", "~=4.57.1",
    ">=4.51,<5.6", ">=2025.0", "<2.0.1", ">=2.0", "!=2.0.*,>=1",
)  # fmt: skip


class TestRanges(unittest.TestCase):
    def test_as_packaging_has_them(self) -> None:
        """packaging is the reference implementation; it is not there in a bare environment."""
        from packaging.specifiers import SpecifierSet

        for installed, text in itertools.product(INSTALLED, RANGES):
            wanted = SpecifierSet(text).contains(installed, prereleases=True)
            self.assertEqual(versions.matches(installed, text), wanted, f"{installed} {text}")

    def test_joined_ranges_have_what_lies_in_all_of_them(self) -> None:
        for one, other in itertools.product(RANGES, RANGES):
            both = versions.joined(one, other)
            for found in INSTALLED:
                in_all = versions.matches(found, one) and versions.matches(found, other)
                self.assertEqual(versions.matches(found, both), in_all, f"{found}: {one} {other}")
        self.assertEqual(versions.joined(">=4.57,<6", ">=5.20,!=5.21"), ">=5.20,<6,!=5.21")

    def test_how_it_misses(self) -> None:
        self.assertEqual(versions.misfit("1.0", ">=2"), versions.TOO_OLD)
        self.assertEqual(versions.misfit("3.0", ">=2,<3"), versions.TOO_NEW)
        self.assertEqual(versions.misfit("2.5", ">=2,!=2.5"), versions.EXCLUDED)

    def test_requirement(self) -> None:
        self.assertEqual(versions.requirement("timm >=1.0, <2"), ("timm", ">=1.0, <2"))
        self.assertEqual(
            versions.requirement("optimum-intel[nncf] (>=1)"), ("optimum-intel", ">=1")
        )
        with self.assertRaises(ValueError):
            versions.requirement(">=1")


class TestRequirements(unittest.TestCase):
    def test_ranges_are_those_of_the_package(self) -> None:
        setup = configparser.ConfigParser()
        setup.read(support.ROOT / "setup.cfg")
        lines = setup["options"]["install_requires"] + setup["options.extras_require"]["openvino"]
        self.assertEqual(
            dict(versions.requirement(line) for line in lines.split()), dependencies.RANGES
        )

    def test_the_extra_all_is_what_the_registry_and_the_tasks_name(self) -> None:
        setup = configparser.ConfigParser()
        setup.read(support.ROOT / "setup.cfg")
        extras = setup["options.extras_require"]["all"].split()
        wanted = [text for task in tasks.names() for text in tasks.get(task).pipeline_dependencies]
        wanted += [text for model in support.shipped().models for text in model.dependencies]
        optional = {versions.requirement(text)[0] for text in wanted} - dependencies.RANGES.keys()
        found = {versions.requirement(text)[0] for text in extras} - dependencies.RANGES.keys()
        self.assertEqual(found, optional - NOT_FROM_PYPI.keys())

    def test_one_command_mends_all(self) -> None:
        torch, numpy = dependencies.version("torch"), dependencies.version("numpy")
        text = dependencies.unmet(["torch>=99", "no-such-one", "numpy<1", "no-other", "tqdm"])
        self.assertEqual(
            text,
            f"no-such-one and no-other are not installed, torch {torch} is too old, numpy {numpy} "
            "is too new: python -m pip install 'torch>=99' 'numpy>=1.26,<1' no-such-one "
            "no-other",
        )
        self.assertIsNone(dependencies.unmet(["torch>=2.2", "numpy"]))

    def test_data_that_pip_does_not_bring(self) -> None:
        """Found where NLTK_DATA says, unpacked or as it was downloaded."""
        folder = support.temporary_folder(self)
        metadata = folder / "g2p_en-2.1.0.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text("Metadata-Version: 2.1\nName: g2p_en\nVersion: 2.1.0\n")
        data = folder / "data"
        (data / "corpora").mkdir(parents=True)
        (data / "taggers" / "averaged_perceptron_tagger_eng").mkdir(parents=True)
        settings = {"NLTK_DATA": f"{folder / 'none'}{os.pathsep}{data}", "HOME": str(folder)}
        for cached in (dependencies.version, dependencies.missing_below, dependencies._needs):
            cached.cache_clear()
            self.addCleanup(cached.cache_clear)
        with (
            unittest.mock.patch.object(sys, "path", [str(folder), *sys.path]),
            unittest.mock.patch.dict(os.environ, settings),
        ):
            self.assertEqual(
                dependencies.unmet(["g2p_en"]),
                "g2p_en lacks cmudict of NLTK's data: python -m nltk.downloader cmudict",
            )
            (data / "corpora" / "cmudict.zip").touch()
            self.assertIsNone(dependencies.unmet(["g2p_en"]))

    def test_requirements_of_an_installed_one(self) -> None:
        """transformers states ranges of its own, which this environment meets."""
        self.assertEqual(dependencies.conflicts("transformers"), ())
        self.assertEqual(dependencies.conflicts("no-such-library"), ())
