"""Build hook: a wheel carries the C programs, compiled for the machine that builds it.

In: native/ and agent/ with their Makefiles. Out: cleanroom/bin in the wheel, and a wheel named for
its platform. Never: a download. An editable install compiles nothing: `make install` does.
"""

import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
PROGRAMS = ROOT / "src" / "cleanroom" / "bin"


class BuildWithPrograms(build_py):
    """build_py, and then the programs beside the modules."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        make = shutil.which("make")
        if make is None:
            message = "cannot build cleanroom: `make` is missing (and a C compiler may be)"
            raise SystemExit(message)
        for folder in ("native", "agent"):
            subprocess.run([make, "-C", str(ROOT / folder)], check=True)
        target = Path(self.build_lib) / "cleanroom" / "bin"
        target.mkdir(parents=True, exist_ok=True)
        for program in sorted(PROGRAMS.glob("cleanroom-*")):
            shutil.copy2(program, target / program.name)


class PlatformWheel(bdist_wheel):
    """Any Python 3 will do, but only this kind of machine."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


setup(cmdclass={"build_py": BuildWithPrograms, "bdist_wheel": PlatformWheel})
