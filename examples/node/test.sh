#!/bin/bash
# Pattern: Node: the shared library through koffi
# Calls of the library from Node, on its own thread and on others. koffi goes below build/hosts/node/.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh
command -v node >/dev/null && command -v npm >/dev/null || need_packages nodejs npm || cannot_run Node "it could not be installed"
library_build
mkdir -p build/hosts/node
cp examples/node/package.json build/hosts/node/
(cd build/hosts/node && npm install --silent --no-audit --no-fund --ignore-scripts) ||
	cannot_run koffi "it (examples/node/package.json) could not be installed"
export NODE_PATH=$PWD/build/hosts/node/node_modules
host Node "$(node --version)"
host koffi "$(node -p "JSON.parse(fs.readFileSync('build/hosts/node/node_modules/koffi/package.json')).version")"
node --test --test-reporter=spec examples/node/test_node.js
