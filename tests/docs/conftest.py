"""A reader of the documentation: a folder with the repository's doors and the files that pages name, a shell that finds the
command, the compiler and Python, and one set of Python names for a page.

Relies on: SCORELINE_BUILD, the build folder with library and command (default: build/), and the pinned Python packages.
"""
import contextlib
import io
import itertools
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import stock

ROOT = stock.ROOT
HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("SCORELINE_BUILD", ROOT / "build")).resolve()
COMMAND = BUILD / "cli" / "scoreline"
DOORS = ["bench", "examples", "include", "lib", "python", "tests", "tools", "meson.build"]
# A reader's compiler says what it likes; here every warning is an error, and nobody waits for optimisation.
PROGRAMS = {
    "cc": 'exec gcc "$@" -O0 -Wall -Wextra -Werror',
    "python3": f'exec {sys.executable} "$@"',
    "python": f'exec {sys.executable} "$@"',
    "scoreline": f'exec {COMMAND} "$@"',
}

FRAGMENT_TAKES = {"features_fragment.c": ["fraud.slm", "profile.sft"]}


def installed(folder):
    """scoreline.pc as `meson install` would write it, for library and headers where they are."""
    lines = (BUILD / "pkgconfig" / "scoreline.pc").read_text().split("\n")
    places = {"prefix": ROOT, "libdir": BUILD / "lib", "includedir": ROOT / "include"}
    text = "\n".join(f"{line.split('=')[0]}={places[line.split('=')[0]]}" if line.split("=")[0] in places else line for line in lines)
    (folder / "scoreline.pc").write_text(text)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    """Files and programs, made once; pages work in copies of it."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "bin").mkdir()
    for name, line in PROGRAMS.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)
    installed(folder / "bin")
    (folder / "files").mkdir()
    stock.fill(folder / "files", str(COMMAND))
    return folder


class Reader:
    """Takes the blocks of a page one after the other."""

    def __init__(self, workshop, folder, page):
        self.folder = folder
        self.names = None
        self.fragment = HERE / f"{pathlib.Path(page).stem}_fragment.c"
        shutil.copytree(workshop / "files", folder)
        for name in DOORS:
            (folder / name).symlink_to(ROOT / name)
        (folder / "build").symlink_to(BUILD)
        self.environment = {
            **os.environ, "PATH": f"{workshop / 'bin'}:{os.environ['PATH']}", "PKG_CONFIG_PATH": str(workshop / "bin"),
            "LD_LIBRARY_PATH": str(BUILD / "lib"), "LC_ALL": "C.UTF-8", "DESTDIR": str(folder / "installed"),
        }

    def run(self, block, *command):
        done = subprocess.run([str(part) for part in command], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{block.where} ends with {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def sh(self, block):
        return self.run(block, "bash", "-euo", "pipefail", "-c", block.text)

    def python(self, block):
        if self.names is None:
            self.names = stock.names()
        printed = io.StringIO()
        code = compile("\n" * (block.line - 1) + block.text, str(ROOT / block.page), "exec")
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(printed):
            exec(code, self.names)
        return printed.getvalue()

    def c(self, block):
        """A whole program becomes host.c, which a command of the page compiles; a fragment has its host beside this file."""
        line = f'#line {block.line} "{block.page}"\n'
        if "int main(" in block.text:
            (self.folder / "host.c").write_text(line + block.text)
            self.run(block, "cc", "-I", ROOT / "include", "-c", "host.c", "-o", "host.o")
            return ""
        assert self.fragment.is_file(), f"{block.where} is no program, and there is no {self.fragment.name}"
        (self.folder / "block.c").write_text(line + block.text)
        self.run(block, "cc", '-DBLOCK="block.c"', "-I", ROOT / "include", "-I.", self.fragment, "-o", "fragment",
                 "-L", BUILD / "lib", "-lscoreline")
        return self.run(block, "./fragment", *FRAGMENT_TAKES.get(self.fragment.name, ["model.slm"]))


@pytest.fixture
def reader(workshop, tmp_path):
    numbers = itertools.count()
    return lambda page: Reader(workshop, tmp_path / f"folder{next(numbers)}", page)
