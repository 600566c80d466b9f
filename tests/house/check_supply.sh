#!/bin/bash
# Supply chain: two builds of the library in folders of different names, at different times, have the same bytes; the bill of
# materials names every source and exactly the libraries that the shared library and the command need.
# Comes in: the build directory.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Optimising would only cost time: what could differ are paths, dates and orders.
for name in one another/longer; do
	mkdir -p "$work/$name"
	cp -r meson.build meson_options.txt include lib plugins cli pkgconfig docs "$work/$name"
	meson setup "$work/$name/build" "$work/$name" -Dbuildtype=plain -Dtests=false >"$work/log" 2>&1 || { cat "$work/log" && exit 1; }
	ninja -C "$work/$name/build" >"$work/log" 2>&1 || { tail -n 20 "$work/log" && exit 1; }
done
for file in lib/libscoreline.so cli/scoreline; do
	cmp "$work/one/build/$file" "$work/another/longer/build/$file"
done

python3 tools/sbom.py >"$work/bill.json"
python3 tools/sbom.py | cmp - "$work/bill.json"
python3 - "$work/bill.json" "$build" <<'END'
import hashlib, json, pathlib, subprocess, sys
bill, build = json.load(open(sys.argv[1])), sys.argv[2]
assert bill["spdxVersion"] == "SPDX-2.3" and bill["packages"][0]["versionInfo"]
listed = {f["fileName"]: f["checksums"][0]["checksumValue"] for f in bill["files"]}
sources = [p for folder in ("include", "lib", "cli") for p in pathlib.Path(folder).rglob("*") if p.suffix in {".c", ".h"}]
for path in sources:
    assert listed[f"./{path}"] == hashlib.sha256(path.read_bytes()).hexdigest(), path
needed = set()
for file in ("lib/libscoreline.so", "cli/scoreline"):
    for line in subprocess.run(["objdump", "-p", f"{build}/{file}"], capture_output=True, text=True, check=True).stdout.splitlines():
        if "NEEDED" in line:
            needed.add(line.split()[1].split(".so")[0])
needed -= {"libc", "libm", "ld-linux-x86-64", "libgcc_s", "libpthread", "libscoreline", "libdl"}
known = {"lib" + p["name"].removeprefix("lib") for p in bill["packages"]}
assert needed <= {name.replace("libmsgpack", "libmsgpackc") for name in known} | known, (needed, known)
print(f"two builds have the same bytes; {len(listed)} files and {len(bill['packages']) - 1} libraries in the bill of materials")
END
