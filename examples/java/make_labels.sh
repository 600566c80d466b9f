# labels_model FOLDER: FOLDER/labels.slm, whose labels Java's own form of UTF-8 writes otherwise. Sourced by the tests of both classes.
labels_model() {
	sed 's/^pandas_categorical:.*/pandas_categorical:[["red", "\\ud83d\\ude00", "gr\\u00fcn", "blue"]]/' tests/data/cli/binary.txt >"$1/labels.txt"
	scoreline convert -q "$1/labels.txt" -o "$1/labels.slm"
}
