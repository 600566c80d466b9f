"""Make a DuckDB extension of a shared library: append what DuckDB reads before it loads one.

Usage: add_footer.py LIBRARY VERSION PLATFORM OUT. The footer says that the file uses the stable C interface of DuckDB 1.2.0
and later; it holds no signature, so DuckDB must be opened with allow_unsigned_extensions.
"""
import pathlib
import sys

CUSTOM_SECTION = bytes([0, 0x93, 0x04, 0x10]) + b"duckdb_signature" + bytes([0x80, 0x04])
SIGNATURE = bytes(256)


def footer(version: str, platform: str) -> bytes:
    fields = ["", "", "", "C_STRUCT", version, "v1.2.0", platform, "4"]
    return CUSTOM_SECTION + b"".join(field.encode().ljust(32, b"\0") for field in fields) + SIGNATURE


def main() -> None:
    library, version, platform, out = sys.argv[1:]
    pathlib.Path(out).write_bytes(pathlib.Path(library).read_bytes() + footer(version, platform))


if __name__ == "__main__":
    main()
