#!/usr/bin/env python3
"""Put the library into two files, scoreline.c and scoreline.h, for hosts that would rather compile than link.

Comes in: include/ and the files that lib/*/meson.build names. Goes out: the two files in the folder that is asked for.
A file's own names (static functions, types, macros) may stand in several files of lib/; here they share one file, so
those that meet are renamed, each after its file. What lib/ shares between its files becomes static.

    tools/amalgamate.py OUT            both files, importers included, switched by macros (see the head of scoreline.c)
    tools/amalgamate.py OUT --no-onnx  without the ONNX importer, whose messages need protoc-c to generate
    tools/amalgamate.py OUT --memory-only  for systems without POSIX files and threads, such as WebAssembly: no deployment,
                                           and no function that takes a path
"""
from __future__ import annotations

import argparse
import dataclasses
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOKEN = re.compile(
    r"(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<directive>^[ \t]*\#(?:[^\n\\/]|\\\n|\\.|/(?!\*)|/\*.*?\*/)*)"
    r"|(?P<string>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)|(?P<space>\s+)|(?P<sign>->|\.\.\.|\#\#|.)", re.S | re.M)
INCLUDE = re.compile(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
DEFINE = re.compile(r"\s*#\s*define\s+(\w+)(\(?)")
# Build conditions of lib/*/meson.build, from the widest to the narrowest, and the macros that stand for them here.
CONDITIONS = {"dep_yajl.found()": (1, "SCORELINE_IMPORT"), "have_onnx": (2, "SL_HAVE_ONNX")}
CONDITION_MACRO = dict(CONDITIONS.values())
# What needs an operating system: files by their paths, and the room that logs, maps and locks them.
WITH_FILES = {"lib/base/file.c", "lib/api/model_file.c", "lib/api/import_file.c"}
DEPLOYMENT = ROOT / "lib/deploy"
# What POSIX declares in headers that other files, or libraries that they include, ask for.
POSIX = set("""accept access alarm bind brk clone connect dup environ finite getenv index j0 j1 jn kill link listen lseek pause
    pipe pread profil read recv remove rename rindex rmdir select send shutdown signal sleep socket stat step sync tee
    truncate unlink wait write y0 y1 yn""".split())
NOT_A_FUNCTION = {"_Static_assert", "__attribute__", "__declspec", "sizeof", "_Alignas", "defined"}

HEAD = """/*
 * Scoreline {version}, the whole library in one file. Made by tools/amalgamate.py: do not edit; the sources that are
 * meant to be read are in the repository. Apache License 2.0.
 *
 *     cc -O2 -c scoreline.c          needs the headers of msgpack-c and xxHash; link with -lxxhash -lm
 *
 * -DSCORELINE_IMPORT               import.h's functions: XGBoost, LightGBM, CatBoost. Link with -lyajl too
 * -DSCORELINE_IMPORT_ONNX          ONNX as well{onnx}. Link with -lprotobuf-c too
 * -DSCORELINE_NAMESPACE=prefix_    every exported function is called prefix_score_…, for a host that may meet another
 *                                  copy of the library. The same for every file that includes scoreline.h
 *
 * gcc's flags that trade exactness for speed (-ffast-math, -ffp-contract=fast) are taken back for this file; clang must not
 * be given them.
 */
#if !defined(_POSIX_C_SOURCE) && !defined(_GNU_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#if !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#pragma clang fp contract(off)
#if defined(__FAST_MATH__)
#error "clang cannot take -ffast-math back within a file: compile scoreline.c without it"
#endif
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#if defined(__FAST_MATH__)
#pragma GCC optimize("no-fast-math")
#endif
#endif
#if defined(SCORELINE_IMPORT_ONNX)
#if !defined(SCORELINE_IMPORT)
#define SCORELINE_IMPORT
#endif
#define SL_HAVE_ONNX
#endif
#include "scoreline.h"

#if defined(__GNUC__)
#define SL_INTERNAL static __attribute__((unused))
#define SL_EXTERN extern __attribute__((visibility("hidden")))
#else
#define SL_INTERNAL static
#define SL_EXTERN extern
#endif
"""


@dataclasses.dataclass
class Token:
    kind: str
    text: str


@dataclasses.dataclass
class Fragment:
    """A header that is included once, or a source file with its templates: `tokens` is its text without the includes
    of other fragments."""
    path: pathlib.Path
    public: bool = False
    is_header: bool = False
    level: int = 0
    tokens: list[Token] = dataclasses.field(default_factory=list)
    needs: list["Fragment"] = dataclasses.field(default_factory=list)
    own: set[str] = dataclasses.field(default_factory=set)       # names that mean something only where it is included
    external: set[str] = dataclasses.field(default_factory=set)  # functions shared between files
    objects: set[str] = dataclasses.field(default_factory=set)   # the same, constants
    macros: set[str] = dataclasses.field(default_factory=set)
    stands_for: dict[str, set[str]] = dataclasses.field(default_factory=dict)  # macros that are another name
    pasted: set[tuple[str, str]] = dataclasses.field(default_factory=set)      # ends of names that ## makes
    used: set[str] = dataclasses.field(default_factory=set)
    seen: set[int] = dataclasses.field(default_factory=set)      # id() of it and all that it includes
    internal_at: dict[int, str] = dataclasses.field(default_factory=dict)

    @property
    def stem(self) -> str:
        return re.sub(r"\W", "_", self.path.stem)


def shipped(text: str) -> str:
    """Without what only static analysers see, which gives names of lib/ a second meaning."""
    out, hidden = [], []  # of each open #if: whether the lines of this branch are left out, None of conditions that stay
    for line in text.splitlines(keepends=True):
        word = re.match(r"\s*#\s*(\w+)", line)
        if word and word[1] in ("if", "ifdef", "ifndef"):
            hidden.append(True if line.strip() == "#if defined(SL_ANALYSED)" else None)
            if hidden[-1]:
                continue
        elif word and word[1] == "else" and hidden[-1] is not None:
            hidden[-1] = not hidden[-1]
            continue
        elif word and word[1] == "endif" and hidden.pop() is not None:
            continue
        if True not in hidden:
            out.append(line)
    return "".join(out)


def tokens_of(text: str) -> list[Token]:
    return [Token(match.lastgroup, match.group()) for match in TOKEN.finditer(text)]


def is_guarded(tokens: list[Token]) -> bool:
    directives = [t.text.split() for t in tokens if t.kind == "directive"]
    return (len(directives) > 2 and directives[0][0] == "#ifndef" and directives[0][1].endswith("_H")
            and directives[1][:2] == ["#define", directives[0][1]])


class Library:
    """All fragments, by path."""

    def __init__(self, generated: pathlib.Path | None):
        self.fragments: dict[pathlib.Path, Fragment] = {}
        self.generated = generated
        self.units: list[Fragment] = []

    def resolve(self, path: pathlib.Path, quoted: str | None, system: str | None) -> pathlib.Path | None:
        if quoted:
            return (path.parent / quoted).resolve()
        if system.startswith("scoreline"):
            return ROOT / "include" / system
        if self.generated and (self.generated / system).is_file():
            return self.generated / system
        return None

    def fragment(self, path: pathlib.Path, tokens: list[Token] | None = None) -> Fragment:
        if path not in self.fragments:
            f = Fragment(path, public=(ROOT / "include") in path.parents, is_header=path.suffix == ".h")
            self.fragments[path] = f
            f.tokens = self.expand(f, path, tokens or tokens_of(shipped(path.read_text())))
            f.seen = {id(f)}.union(*(needed.seen for needed in f.needs))
            declare(f)
        return self.fragments[path]

    def expand(self, f: Fragment, path: pathlib.Path, tokens: list[Token]) -> list[Token]:
        """Templates stand where they are included; other headers of the library become needs."""
        out = []
        for token in tokens:
            match = INCLUDE.match(token.text) if token.kind == "directive" else None
            target = match and self.resolve(path, match[1], match[2])
            if not target:
                if token.kind == "directive" and re.search("define _(POSIX_C|DEFAULT)_SOURCE", token.text):
                    continue
                out.append(token)
                continue
            if not target.is_file():
                sys.exit(f"{path}: {match[0].strip()}: there is no such file")
            text = tokens_of(shipped(target.read_text()))
            if is_guarded(text) or self.generated in target.parents:
                f.needs.append(self.fragment(target, text))
            else:
                out += self.expand(f, target, text)
        return out


def significant(f: Fragment):
    """Indices of tokens that are code."""
    return [i for i, t in enumerate(f.tokens) if t.kind not in {"space", "comment", "directive"}]


def declare(f: Fragment) -> None:
    """Find what a fragment declares at file level."""
    for token in f.tokens:
        if token.kind == "directive":
            if match := DEFINE.match(token.text):
                f.macros.add(match[1])
                if not match[2] and re.fullmatch(r"\s*[A-Za-z_]\w*\s*", token.text[match.end():]):
                    f.stands_for.setdefault(match[1], set()).add(token.text[match.end():].strip())
                f.pasted.update((match[1], "") for match in re.finditer(r"(\w+)\s*##", token.text))
                f.pasted.update(("", match[1]) for match in re.finditer(r"##\s*(\w+)", token.text))
            f.used.update(re.findall(r"[A-Za-z_]\w*", token.text))
        elif token.kind == "name":
            f.used.add(token.text)
    code, start, depth, i = significant(f), 0, 0, 0
    text = [f.tokens[k].text for k in code]
    if f.public:  # the lines of extern "C"
        code = [k for n, k in enumerate(code) if not (text[n] == "extern" and text[n + 1:n + 2] == ['"C"'])]
        text = [f.tokens[k].text for k in code]
        if text[:2] == ['"C"', "{"]:
            code, text = code[2:], text[2:]
    while i < len(text):
        if text[i] in "({[":
            depth += 1
        elif text[i] in ")}]":
            depth -= 1
        ends = text[i] == ";" or (text[i] == "}" and is_function_body(text[start:i + 1]))
        if depth <= 0 and ends:
            declaration(f, code[start:i + 1], text[start:i + 1])
            start, depth = i + 1, 0
        i += 1


def is_function_body(text: list[str]) -> bool:
    depth = 0
    for i, word in enumerate(text):
        if word == "{" and depth == 0:
            return i > 0 and text[i - 1] == ")"
        depth += (word in "({[") - (word in ")}]")
    return False


def declaration(f: Fragment, code: list[int], text: list[str]) -> None:
    if text[0] in {";", "_Static_assert"}:
        return
    names, is_function = [], False
    depth = 0
    for i, word in enumerate(text):
        following = text[i + 1] if i + 1 < len(text) else ""
        if word in {"struct", "union", "enum"} and depth == 0 and re.match(r"[A-Za-z_]", following):
            f.own.add(following)
        if word == "enum" and depth == 0:
            f.own.update(enumerators(text[i:]))
        if word == "{" and is_function:
            break
        if re.match(r"[A-Za-z_]", word) and word not in NOT_A_FUNCTION:
            if depth == 0 and following == "(" and word in f.stands_for and not is_function:
                names, is_function = list(f.stands_for[word]), True
            elif depth == 0 and following == "(" and not is_function and word not in f.macros and not word.isupper() \
                    and word != "SCORE_API" and "=" not in text[:i]:
                names, is_function = [word], True
            elif depth == 0 and following in {"=", "[", ",", ";", "__attribute__"} and not is_function:
                names.append(word)
            elif depth == 1 and text[i - 2:i] == ["(", "*"] and text[0] == "typedef":
                names.append(word)
        depth += (word in "({[") - (word in ")}]")
    head = text[:text.index("{")] if "{" in text else text
    if "static" in head or text[0] == "typedef" or "inline" in head:
        f.own.update(names)
    elif is_function:
        f.external.update(names)
        f.internal_at[code[0]] = "function"
    elif text[0] == "extern":
        f.internal_at[code[0]] = "object"
        f.objects.update(names)


def enumerators(text: list[str]) -> list[str]:
    if "{" not in text:
        return []
    body = text[text.index("{"):]
    found = []
    for i, word in enumerate(body):
        if word == "}":
            break
        if word in "{," and re.match(r"[A-Za-z_]", body[i + 1]):
            found.append(body[i + 1])
    return found


def members(f: Fragment) -> set[int]:
    """Indices of tokens that declare members of structs: these have a name space of their own."""
    code = significant(f)
    text = [f.tokens[k].text for k in code]
    found, stack = set(), []
    for i, word in enumerate(text):
        before, after = text[i - 1] if i else "", text[i + 1] if i + 1 < len(text) else ""
        if word == "{":
            stack.append("struct" if {"struct", "union"} & {before, text[i - 2] if i > 1 else ""} else "{")
        elif word in "([":
            stack.append(word)
        elif word in ")}]" and stack:
            stack.pop()
        elif f.tokens[code[i]].kind == "name" and stack:
            plain = stack[-1] == "struct" and after in {";", ",", ":", "["}
            pointer = stack[-1] == "(" and stack[-2:-1] == ["struct"] and text[i - 2:i] == ["(", "*"]
            if plain or pointer:
                found.add(code[i])
    return found


def renames(fragments: list[Fragment]) -> dict[int, dict[str, str]]:
    """For every fragment, by its id, the names that it must call otherwise."""
    owners: dict[str, list[Fragment]] = {}
    shared = set().union(*(f.external | f.objects for f in fragments))
    for f in fragments:
        for name in f.own | (f.macros if f.is_header else set()):
            owners.setdefault(name, []).append(f)
    result: dict[int, dict[str, str]] = {id(f): {} for f in fragments}
    everything = set().union(*(f.used for f in fragments))
    for name, declared in owners.items():
        groups = group(name, declared, fragments)
        strangers = any(name in f.used and not any({id(d) for d in g} & f.seen for g in groups) for f in fragments)
        macro = any(name in d.macros for d in declared)
        if len(groups) == 1 and name not in shared | POSIX and not (macro and strangers):
            continue
        for g in groups:
            if any(d.public for d in g):
                continue
            new = f"{name}_{g[0].stem}"
            while new in everything:
                new += "_"
            everything.add(new)
            for f in fragments:
                if {id(d) for d in g} & f.seen:
                    result[id(f)][name] = new
    return result


def group(name: str, declared: list[Fragment], fragments: list[Fragment]) -> list[list[Fragment]]:
    """Declarations that one fragment can see are of the same thing."""
    groups = [[d] for d in declared]
    for f in fragments:
        if name in f.used:
            together = [g for g in groups if {id(d) for d in g} & f.seen]
            if len(together) > 1:
                groups = [g for g in groups if g not in together] + [sum(together, [])]
    return groups


def is_pasted(f: Fragment, name: str) -> bool:
    return any((start and name.startswith(start) and len(name) > len(start)) or
               (end and name.endswith(end) and len(name) > len(end)) for start, end in f.pasted)


def rendered(f: Fragment, rename: dict[str, str]) -> str:
    # What ## puts together has no token to rename: the preprocessor does it.
    defined = {name for name in rename if not f.is_header and is_pasted(f, name) and name not in f.macros}
    before = "".join(f"#define {name} {rename[name]}\n" for name in sorted(defined))
    after = "".join(f"#undef {name}\n" for name in sorted(defined))
    rename = {name: new for name, new in rename.items() if name not in defined}
    skip = members(f) if rename else set()
    out, last = [], ""
    pattern = re.compile(r"(?<![\w.])(" + "|".join(map(re.escape, rename)) + r")\b") if rename else None
    for i, token in enumerate(f.tokens):
        text = token.text
        if i in f.internal_at and f.is_header:
            text = "SL_INTERNAL " + text if f.internal_at[i] == "function" else "SL_EXTERN"
        if rename and token.kind == "directive" and not INCLUDE.match(text):
            text = pattern.sub(lambda match: rename[match[1]], text)
        elif token.kind == "name" and token.text in rename and last not in {".", "->"} and i not in skip:
            text = text[:-len(token.text)] + rename[token.text]
        if token.kind not in {"space", "comment"}:
            last = token.text
        out.append(text)
    return before + "".join(out).strip("\n") + "\n" + after


def needs_system(path: pathlib.Path) -> bool:
    """Is this file of lib/ or include/ left out of a copy that works in memory only?"""
    if path.suffix == ".h" and path.parent == ROOT / "include/scoreline":
        listed = re.findall(r"#include <(scoreline/\w+\.h)>", (ROOT / "include/scoreline/deploy.h").read_text())
        return path.name == "deploy.h" or f"scoreline/{path.name}" in listed
    return DEPLOYMENT in path.parents or str(path.relative_to(ROOT)) in WITH_FILES


def sources() -> list[tuple[pathlib.Path, int]]:
    """(file, level of its build condition) in the order of the build."""
    rooms = re.search(r"foreach room : \[(.*?)\]", (ROOT / "lib/meson.build").read_text(), re.S)
    found = []
    for room in re.findall(r"'(\w+)'", rooms[1]):
        folder, level = ROOT / "lib" / room, 0
        text = re.sub(r"#[^\n]*", "", (folder / "meson.build").read_text())
        for match in re.finditer(r"^if (.*)$|^(endif)|files\(([^)]*)\)", text, re.M):
            if match[1]:
                level = CONDITIONS[match[1].strip()][0]
            elif match[2]:
                level = 0
            else:
                found += [(folder / name, level) for name in re.findall(r"'([^']+)'", match[3])]
    return found


def public_header(library: Library, memory_only: bool) -> str:
    """All public headers, one after another, and the names that a namespace changes."""
    order: list[Fragment] = []

    def visit(f: Fragment) -> None:
        for needed in f.needs:
            visit(needed)
        if f not in order:
            order.append(f)

    paths = [ROOT / "include/scoreline.h", *sorted((ROOT / "include/scoreline").glob("*.h"))]
    for path in paths:
        if not (memory_only and needs_system(path)):
            visit(library.fragment(path))
    names = sorted(set().union(*(f.external for f in order)))
    lines = ["/* Scoreline's public headers in one file, made by tools/amalgamate.py: do not edit. Apache License 2.0. */",
             *(["/* This copy works in memory only: functions that take a path are declared, but not there to be linked. */"]
               if memory_only else []),
             "#ifndef SCORELINE_AMALGAMATED_H", "#define SCORELINE_AMALGAMATED_H", "", "#if defined(SCORELINE_NAMESPACE)",
             "#define SCORELINE_JOIN2(a, b) a##b", "#define SCORELINE_JOIN(a, b) SCORELINE_JOIN2(a, b)",
             "#define SCORELINE_NAME(name) SCORELINE_JOIN(SCORELINE_NAMESPACE, name)"]
    lines += [f"#define {name} SCORELINE_NAME({name})" for name in names]
    text = "\n".join([*lines, "#endif", "", ""])
    for f in order:
        text += f"/* ======== {f.path.relative_to(ROOT / 'include')} */\n" + rendered(f, {}).replace("SL_INTERNAL ", "") + "\n"
    return text + "#endif\n"


def onnx_messages(folder: pathlib.Path) -> pathlib.Path:
    if not shutil.which("protoc-c"):
        sys.exit("protoc-c is missing (Debian: protobuf-c-compiler); --no-onnx does without the ONNX importer")
    subprocess.run(["protoc-c", f"--proto_path={ROOT / 'lib/import'}", f"--c_out={folder}",
                    ROOT / "lib/import/onnx.proto"], check=True)
    return folder


def source(library: Library, with_onnx: bool, memory_only: bool) -> str:
    listed = [(path, level) for path, level in sources()
              if (level < 2 or with_onnx) and not (memory_only and needs_system(path))]
    if with_onnx:
        listed.append((library.generated / "onnx.pb-c.c", 2))
    for path, level in listed:
        f = library.fragment(path)
        library.units.append(f)
        f.level = level
    for f in library.fragments.values():
        if f.is_header:
            f.level = min(u.level for u in library.units if id(f) in u.seen) if any(
                id(f) in u.seen for u in library.units) else 0
    fragments = list(library.fragments.values())
    changed = renames(fragments)
    version = re.search(r'SCORE_VERSION_STRING "(.*?)"', (ROOT / "include/scoreline.h").read_text())[1]
    out = [HEAD.format(version=version, onnx="" if with_onnx else " (left out of this copy)")]
    objects = sorted(set().union(*(f.objects for f in fragments)))
    out.append("\n#if defined(SCORELINE_NAMESPACE)\n" + "".join(
        f"#define {name} SCORELINE_NAME({name})\n" for name in objects) + "#endif\n")
    done: set[int] = set()

    def emit(f: Fragment) -> None:
        if id(f) in done or f.public:
            return
        done.add(id(f))
        for needed in f.needs:
            emit(needed)
        name = f.path.relative_to(ROOT) if ROOT in f.path.parents else f.path.name
        text = f"\n/* ======== {name} */\n" + rendered(f, changed[id(f)])
        if not f.is_header:
            visible = set().union(*(h.macros for h in fragments if h.is_header and id(h) in f.seen))
            own = (changed[id(f)].get(macro, macro) for macro in f.macros - visible)
            # Reserved names are the compiler's: some of clang's intrinsics are macros, which the next file needs too.
            text += "".join(f"#undef {macro}\n" for macro in sorted(own) if not macro.startswith("_"))
        if f.level:
            text = f"\n#if defined({CONDITION_MACRO[f.level]})" + text + "#endif\n"
        out.append(text)

    for unit in library.units:
        emit(unit)
    return "".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, help="folder for scoreline.c and scoreline.h")
    parser.add_argument("--no-onnx", action="store_true", help="leave the ONNX importer out")
    parser.add_argument("--memory-only", action="store_true", help="leave deployment and all use of files out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        generated = pathlib.Path("/nonexistent") if options.no_onnx else onnx_messages(pathlib.Path(folder).resolve())
        library = Library(generated)
        header = public_header(library, options.memory_only)
        text = source(library, not options.no_onnx, options.memory_only)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "scoreline.h").write_text(header)
    (options.out / "scoreline.c").write_text(text)
    print(f"{options.out / 'scoreline.c'}: {text.count(chr(10))} lines; scoreline.h: {header.count(chr(10))} lines")


if __name__ == "__main__":
    main()
