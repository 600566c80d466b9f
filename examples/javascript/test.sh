#!/bin/bash
# Pattern: 1 SQL on Azure Stream Analytics, which takes only JavaScript functions
# Exported models in Node and QuickJS: ECMAScript 5, the golden set and thousands of other rows bit for bit.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh
command -v node >/dev/null && command -v npm >/dev/null || need_packages nodejs npm || cannot_run Node "it could not be installed"
library_build
mkdir -p build/hosts/javascript
cp examples/javascript/package.json build/hosts/javascript/
(cd build/hosts/javascript && npm install --silent --no-audit --no-fund --ignore-scripts) ||
	cannot_run QuickJS "its npm packages (examples/javascript/package.json) could not be installed"
host Node "$(node --version)"
host QuickJS "$(node -p "require('./build/hosts/javascript/node_modules/quickjs-emscripten/package.json').version") (quickjs-emscripten)"
NODE_PATH=$PWD/build/hosts/javascript/node_modules node --test --test-reporter=spec examples/javascript/test_javascript.js
NODE_PATH=$PWD/build/hosts/javascript/node_modules node examples/javascript/measure_javascript.js
