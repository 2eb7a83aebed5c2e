"""Run with: python -m unittest"""

import unittest

from report import report


class Report(unittest.TestCase):
    """Versions are compared as versions, not as text."""

    def test_ten_is_newer_than_nine(self) -> None:
        assert report("demo", ["1.9", "1.10"]) == "demo: 1.10 of 2 versions"

    def test_one_version_is_one_version(self) -> None:
        assert report("demo", ["0.1"]) == "demo: 0.1 of 1 version"


if __name__ == "__main__":
    unittest.main()
