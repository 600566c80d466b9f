#!/usr/bin/env python3
"""A software bill of materials (SPDX 2.3, JSON) of a build: the library, its sources with their SHA-256, and the libraries that it
links with the versions that pkg-config knows. The same sources and libraries give the same bytes.

    tools/sbom.py > scoreline.spdx.json
"""
import hashlib
import json
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
# pkg-config's names and the licences that their authors declare.
LIBRARIES = {"msgpack": "BSL-1.0", "libxxhash": "BSD-2-Clause", "yajl": "ISC", "libprotobuf-c": "BSD-2-Clause", "jansson": "MIT", "sqlite3": "blessing",
             "libsodium": "ISC"}
OPTIONAL = ("libsodium",)  # the command is built without it where it is not installed


def is_installed(library: str) -> bool:
    return subprocess.run(["pkg-config", "--exists", library]).returncode == 0


def version_of(library: str) -> str:
    names = [library, "msgpack-c"] if library == "msgpack" else [library]
    for name in names:
        found = subprocess.run(["pkg-config", "--modversion", name], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.strip()
    raise SystemExit(f"pkg-config does not know {library}")


def package(name: str, version: str, licence: str) -> dict:
    return {"SPDXID": f"SPDXRef-{name}", "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False, "licenseConcluded": licence, "licenseDeclared": licence, "copyrightText": "NOASSERTION"}


def main() -> None:
    version = re.search(r'SCORE_VERSION_STRING "(.*?)"', (ROOT / "include/scoreline.h").read_text())[1]
    sources = sorted(p for folder in ("include", "lib", "cli") for p in (ROOT / folder).rglob("*")
                     if p.suffix in {".c", ".h", ".proto"})
    libraries = {name: licence for name, licence in LIBRARIES.items() if name not in OPTIONAL or is_installed(name)}
    digests = {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in sources}
    whole = hashlib.sha256("".join(f"{p.relative_to(ROOT)} {d}\n" for p, d in digests.items()).encode()).hexdigest()
    document = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"scoreline-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/scoreline-{version}-{whole}",
        # No clock: a bill of the same sources is the same bill.
        "creationInfo": {"created": "1970-01-01T00:00:00Z", "creators": ["Tool: scoreline-sbom"]},
        "packages": [package("scoreline", version, "Apache-2.0"),
                     *(package(name, version_of(name), licence) for name, licence in libraries.items())],
        "files": [{"SPDXID": f"SPDXRef-file-{i}", "fileName": f"./{p.relative_to(ROOT)}", "copyrightText": "NOASSERTION",
                   "licenseConcluded": "Apache-2.0", "checksums": [{"algorithm": "SHA256", "checksumValue": digest}]}
                  for i, (p, digest) in enumerate(digests.items())],
        "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                           "relatedSpdxElement": "SPDXRef-scoreline"},
                          *({"spdxElementId": "SPDXRef-scoreline", "relationshipType": "DEPENDS_ON",
                             "relatedSpdxElement": f"SPDXRef-{name}"} for name in libraries)],
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
