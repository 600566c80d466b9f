#!/usr/bin/env python3
"""A room of lib/ includes only the rooms that its arrow names, and everything outside lib/ only public headers.

Comes in: the #include lines of all C files. Goes out: one line per forbidden include; exit code 1 if there is one.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ARROWS = {
    "base": set(),
    "forest": {"base"},
    "format": {"base", "forest"},
    "input": {"base", "forest"},
    "engine": {"base", "forest", "input"},
    "import": {"base", "forest"},
    "export": {"base", "forest"},
    "api": {"base", "forest", "format", "input", "engine", "import", "export"},
    "deploy": {"base"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
PUBLIC = {"scoreline.h"} | {f"scoreline/{path.name}" for path in (ROOT / "include/scoreline").glob("*.h")}


def included(path: pathlib.Path):
    """Yield (line, quoted, text) of every include of a file."""
    text = path.read_text()
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[1] == '"', match[2]


def check_room(room: str, path: pathlib.Path) -> list[str]:
    wrong = []
    for line, quoted, name in included(path):
        where = f"{path.relative_to(ROOT)}:{line}"
        if not quoted:
            if name.startswith("scoreline/") and name not in PUBLIC:
                wrong.append(f"{where}: <{name}> is no public header")
            continue
        target = (path.parent / name).resolve()
        if not target.is_file():
            wrong.append(f"{where}: \"{name}\" does not exist beside this file")
            continue
        parts = target.relative_to(ROOT).parts
        if parts[0] != "lib":
            wrong.append(f"{where}: \"{name}\" is outside lib/; public headers are included with <>")
        elif parts[1] != room and parts[1] not in ARROWS[room]:
            wrong.append(f"{where}: {room}/ has no door to {parts[1]}/")
    return wrong


def check_outside(path: pathlib.Path) -> list[str]:
    """The command line, the hosts and the bench see public headers and files of their own folder."""
    wrong = []
    for line, quoted, name in included(path):
        target = (path.parent / name).resolve()
        own = target.is_file() and target.parent in (path.parent, ROOT / "plugins" if "plugins" in path.parts else None)
        own = own or name == "scoreline.h"  # a vendored copy stands beside the host's own files
        if quoted and not own:
            wrong.append(f"{path.relative_to(ROOT)}:{line}: \"{name}\" is not public")
        elif not quoted and name.startswith("scoreline") and name not in PUBLIC:
            wrong.append(f"{path.relative_to(ROOT)}:{line}: <{name}> is not public")
    return wrong


def main() -> int:
    wrong, seen = [], 0
    for path in sorted((ROOT / "lib").rglob("*.[ch]")):
        room = path.relative_to(ROOT).parts[1]
        if room not in ARROWS:
            wrong.append(f"{path.relative_to(ROOT)}: lib/{room} is no room of this house")
            continue
        wrong += check_room(room, path)
        seen += 1
    for folder in ("cli", "plugins", "examples", "bench", "include"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            wrong += check_outside(path)
            seen += 1
    if seen < 5:
        wrong.append(f"only {seen} C files were found below {ROOT}")
    print("\n".join(wrong) or f"{seen} files, every include goes through a door")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
