#!/bin/bash
# No fused multiply-add in the library: it would change margins. Comes in: the build directory, and in OBJDUMP the
# disassembler if that is of another architecture.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}
fused='\b(v?fn?m(add|sub)[0-9]*(addsub)?[ps][sd]|vfmaddsub[0-9]+p[sd]|vfmsubadd[0-9]+p[sd]|fml[as]|fn?m(add|sub))\b'
code=$("${OBJDUMP:-objdump}" -d --no-show-raw-insn "$build/lib/libscoreline.so")
n=$(grep -c . <<<"$code")
((n > 1000)) || { echo "only $n lines of disassembly: is $build built?" && exit 1; }
if grep -E "$fused" <<<"$code" | head -n 20 | grep .; then
	echo "fused multiply-add in $build/lib/libscoreline.so"
	exit 1
fi
echo "$n lines of disassembly, none of them fuses"
