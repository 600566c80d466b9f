"""Code blocks of the documentation: where they stand, and in which language.

Comes in: Markdown pages, the manual page, the command's help texts. Goes out: blocks in the order of the page, and lines that
look like code outside of a block that names its language.
"""

import re
from dataclasses import dataclass

# The first word behind a fence. Text is what nobody runs: pictures, formulas, bytes, and what a program prints.
LANGUAGES = {"c", "python", "sh", "java", "js", "text"}
PRINTED = "text output"  # what the block before prints


@dataclass(frozen=True)
class Block:
    page: str  # relative to the repository, or the command whose help it is
    line: int  # of the first line of the text, from 1
    info: str  # what stands behind the fence
    text: str

    @property
    def language(self) -> str:
        return self.info.split(" ")[0]

    @property
    def first_line(self) -> str:
        return self.text.split("\n")[0]

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def markdown(page: str, text: str) -> "list[Block]":
    """Every fenced block of a page."""
    blocks, began, info = [], 0, None
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if not line.startswith("```"):
            continue
        if info is None:
            began, info = number + 1, line[3:].strip()
        else:
            blocks.append(Block(page, began, info, "\n".join(lines[began - 1:number - 1]) + "\n"))
            info = None
    assert info is None, f"{page}:{began}: the block does not end"
    return blocks


def indented(page: str, text: str) -> "list[str]":
    """Lines of Markdown's other kind of code block, which names no language."""
    outside = re.sub(r"^```.*?^```$", lambda block: "\n" * block[0].count("\n"), text, flags=re.M | re.S)
    return [f"{page}:{outside.count(chr(10), 0, found.start()) + 2}"
            for found in re.finditer(r"(?:\A|\n)\n(?= {4}\S)", outside)]


def manual(page: str, text: str) -> "list[Block]":
    """The examples of a manual page, each for itself."""
    before, found, rest = text.partition(".SH EXAMPLES\n.nf\n")
    assert found, f"{page} has no examples"
    lines = rest.partition(".fi")[0].replace("\\-", "-").splitlines()
    return [Block(page, before.count("\n") + 3 + i, "sh", line + "\n") for i, line in enumerate(lines)]


def help_text(command: str, text: str) -> "list[Block]":
    """The examples at the end of `scoreline COMMAND --help`, each for itself."""
    before, found, rest = text.partition("Example")
    assert found, f"{command} shows no example"
    return [Block(command, before.count("\n") + 1 + i, "sh", line[2:] + "\n")
            for i, line in enumerate(rest.split("\n")) if line.startswith("  ")]
