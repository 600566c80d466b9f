#!/bin/bash
# Pattern: a service in C that vendors the library's two files
# scoreline.c and scoreline.h are made, compiled with the service by one command, and asked over HTTP on 127.0.0.1.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh
need_packages "${build_packages[@]}" libmicrohttpd-dev || cannot_run libmicrohttpd "it could not be installed"
made=build/hosts/c_service
mkdir -p $made
cp examples/c_service/service.c $made/
python3 tools/amalgamate.py $made --no-onnx
(cd $made && gcc -O2 -Wall -Wextra -Werror -c scoreline.c &&
	gcc -O2 -Wall -Wextra -Werror -I. service.c scoreline.o -o service -lmicrohttpd -lxxhash -pthread -lm)
host libmicrohttpd "$(pkg-config --modversion libmicrohttpd)"
python3 examples/c_service/test_service.py -v $made/service
