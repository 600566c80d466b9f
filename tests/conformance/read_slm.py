"""A second reader of model files, written from docs/format.md and nothing else.

Comes in: the bytes of a `.slm`. Goes out: a Model with every array of the file, and margins computed from them by the
rules of the page, slowly. ValueError says what is wrong.
"""
import dataclasses
import struct

import city_hash
import msgpack
import numpy as np

REQUIREMENTS = {"derived_columns", "link_slope", "linear_leaves", "parts"}
MAGIC = b"\x89SLM\r\n\x1a\n"
FLOATS = {"cuts", "leaves", "base", "linear_weights", "golden_rows", "golden_margins", "label_codes", "derived_least",
          "step_a", "step_b", "table_values", "leaf_constants", "term_coefficients"}
OPERATIONS = ["identity", "add", "subtract", "multiply", "divide", "clip", "replace_missing", "replace", "greater", "equal",
              "is_missing", "truncate", "lookup"]
ROOTS = ["value", "hash", "norm_l1", "norm_l2", "norm_max", "norm_signed_max", "norm_l2_ratio"]
TINY = float(np.float32(1e-35))


@dataclasses.dataclass
class Test:
    feature: int
    index: int  # of the cut within the feature, or of the set
    kind: int  # 0 numeric, 1 set, 2 not in set
    missing_right: int
    zero_is_missing: int = 0


@dataclasses.dataclass
class Dictionary:
    codes: list  # (label, code)
    unknown: float
    numbers: bool


@dataclasses.dataclass
class Step:
    operation: str
    is_f32: int
    a: float
    b: float
    keys: np.ndarray | None
    values: np.ndarray | None


@dataclasses.dataclass
class Column:
    """A derived column."""
    root: str
    is_f32: int
    source: int
    sources: list
    hashes: list
    least: float
    steps: list


@dataclasses.dataclass
class Tree:
    first_split: int
    first_leaf: int
    output: int = 0
    depth: int = 0
    left: list = dataclasses.field(default_factory=list)  # split, or ~leaf
    right: list = dataclasses.field(default_factory=list)


def check(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def parse_prelude(data: bytes) -> tuple[dict, int]:
    """The header and the offset F of the first section."""
    check(data[:8] == MAGIC, "magic")
    written, readable, size, header_size = struct.unpack_from("<IIQQ", data, 8)
    check(1 <= readable <= 1 and written >= readable, f"version {readable}")
    check(size == len(data), "size")
    header = msgpack.unpackb(data[32:32 + header_size])
    check(header["format"] == "scoreline model", "format")
    check(set(header["requires"]) <= REQUIREMENTS, f"requires {header['requires']}")
    return header, (32 + header_size + 63) // 64 * 64


def decode(data: bytes, entry: dict, first: int) -> np.ndarray:
    """One section as doubles or integers."""
    raw = data[first + entry["offset"]:first + entry["offset"] + entry["bytes"]]
    kind, bits = entry["type"][0], int(entry["type"][1:])
    check(entry["offset"] % 64 == 0 and entry["bytes"] == len(raw) == (entry["count"] * bits + 7) // 8, entry["name"])
    if kind == "u":
        packed = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")[:entry["count"] * bits]
        return (packed.reshape(-1, bits).astype(np.int64) << np.arange(bits)).sum(axis=1)
    if bits == 64:
        return np.frombuffer(raw, "<f8")
    # A conversion instruction would set the quiet bit of a NaN.
    single = np.frombuffer(raw, "<u4").astype(np.uint64)
    nan = (single >> 31 << 63) | np.uint64(0x7FF << 52) | (single & 0x7FFFFF) << 29
    with np.errstate(invalid="ignore"):
        values = np.frombuffer(raw, "<f4").astype("<f8")
    return np.where(np.isnan(values), nan, values.view(np.uint64)).view(np.float64)


class Model:
    def __init__(self, data: bytes):
        self.header, first = parse_prelude(data)
        self.features = self.header["features"]
        self.contract = self.header["contract"]
        self.counts = self.header["counts"]
        self.n_outputs = self.header["outputs"]
        self.sections = {entry["name"]: decode(data, entry, first) for entry in self.header["sections"]}
        ends = [entry["offset"] + entry["bytes"] for entry in self.header["sections"]]
        check(first + ends[-1] + 16 == len(data), "hash does not follow the last section")
        self.dictionaries = self.read_dictionaries()
        self.linear_first, self.columns = 0, []
        cuts = [f["cuts"] for f in self.features]
        if "derived_columns" in self.header["requires"]:
            cuts += self.read_columns(self.header["derived"])
        self.first_cut = np.cumsum([0] + cuts)
        self.n_cuts = cuts
        self.cuts = self.section("cuts", self.counts["cuts"])
        self.sets = self.read_sets()
        self.tests = self.read_tests()
        self.trees = self.read_trees()
        self.split_test = self.section("split_tests", self.counts["splits"])
        self.leaves = self.section("leaves", self.counts["leaves"] * self.counts["leaf_width"])
        self.leaf_ids = self.read_leaf_ids()
        self.split_covers, self.leaf_covers = self.read_covers()
        self.linear_leaves = self.read_linear_leaves()
        self.base = self.section("base", self.n_outputs)
        self.weights = self.section("linear_weights", (len(cuts) - self.linear_first) * self.n_outputs * self.is_linear())
        self.golden_rows = self.section("golden_rows", self.counts["golden_rows"] * len(self.features))
        self.golden_margins = self.section("golden_margins", self.counts["golden_rows"] * self.n_outputs)

    def is_linear(self) -> bool:
        return self.header["kind"] == "linear"

    def section(self, name: str, count: int) -> np.ndarray:
        found = self.sections.get(name, np.zeros(0, np.float64 if name in FLOATS else np.int64))
        check(len(found) == count and (found.dtype == np.float64) == (name in FLOATS), f"section {name}")
        return found

    def read_dictionaries(self) -> list[Dictionary | None]:
        heads = [feature.get("dictionary") for feature in self.features]
        n = sum(head["labels"] for head in heads if head)
        sizes, codes = self.section("label_sizes", n), self.section("label_codes", n)
        text = bytes(self.section("label_text", int(sizes.sum())).astype(np.uint8))
        labels = [text[end - size:end].decode() for size, end in zip(sizes, np.cumsum(sizes))]
        pairs, found = list(zip(labels, codes)), []
        for head in heads:
            own, pairs = (pairs[:head["labels"]], pairs[head["labels"]:]) if head else ([], pairs)
            check(len({label for label, _ in own}) == len(own), "labels are not distinct")
            found.append(Dictionary(own, head["unknown"], head["numbers"]) if head else None)
        return found

    def tables(self, sizes: str, elements: str, count: int) -> list[np.ndarray]:
        ends = np.cumsum(self.section(sizes, count))
        all_elements = self.section(elements, int(ends[-1]) if count else 0)
        return np.split(all_elements, ends[:-1]) if count else []

    def read_columns(self, counts: dict) -> list[int]:
        """The derived columns; returns the number of cuts of each."""
        n = counts["columns"]
        self.linear_first = counts["linear_first"]
        lists = self.tables("list_sizes", "list_members", counts["lists"])
        tables = self.tables("table_sizes", "table_values", counts["tables"])
        low = self.tables("hash_sizes", "hash_low", counts["hash_tables"])
        high = self.tables("hash_sizes", "hash_high", counts["hash_tables"])
        steps = []
        for code, a, b, keys, values in zip(*(self.section(f"step_{c}", counts["steps"])
                                              for c in ("operations", "a", "b", "keys", "values"))):
            looks_up = OPERATIONS[code // 2] == "lookup"
            steps.append(Step(OPERATIONS[code // 2], code % 2, a, b, tables[keys - 1] if looks_up and keys else None,
                              tables[values] if looks_up else None))
        for code, source, members, hashes, least, n_steps in zip(*(self.section(f"derived_{c}", n) for c in (
                "roots", "sources", "lists", "hashes", "least", "steps"))):
            root = ROOTS[code // 2]
            known = [h << 32 | l for h, l in zip(high[hashes].tolist(), low[hashes].tolist())] if root == "hash" else []
            self.columns.append(Column(root, code % 2, source, [] if root == "value" else lists[members].tolist(), known,
                                       least, steps[:n_steps]))
            steps = steps[n_steps:]
        check(not steps, "steps")
        cuts = self.section("derived_cuts", n).tolist()
        check(sum(cuts) == counts["cuts"], "derived_cuts")
        return cuts

    def read_sets(self) -> list[list[int]]:
        sizes = self.section("set_sizes", self.counts["sets"])
        firsts = self.section("set_firsts", self.counts["sets"])
        gaps = list(self.section("set_gaps", int(np.maximum(sizes - 1, 0).sum())))
        sets, at = [], 0
        for size, first in zip(sizes, firsts):
            steps = [g + 1 for g in gaps[at:at + max(size - 1, 0)]]
            at += len(steps)
            sets.append(list(np.cumsum([first, *steps])) if size else [])
        check(sum(map(len, sets)) == self.counts["set_members"], "set_members")
        return sets

    def read_tests(self) -> list[Test]:
        n = self.counts["set_tests"]
        columns = [self.section(f"set_test_{c}", n) for c in ("features", "sets", "flags")]
        masks = self.section("cut_tests", self.counts["cuts"])
        tests = []
        for f in range(len(self.n_cuts)):
            for cut in range(self.n_cuts[f]):
                mask = masks[self.first_cut[f] + cut]
                tests += [Test(f, cut, 0, b >> 1, b & 1) for b in range(4) if mask >> b & 1]
            tests += [Test(f, s, 1 + (flags >> 1), flags & 1) for feature, s, flags in zip(*columns) if feature == f]
        check(len(tests) == self.counts["tests"], "tests")
        return tests

    def read_trees(self) -> list[Tree]:
        bits = iter(self.section("topology", self.counts["splits"] + self.counts["leaves"]))
        trees, splits, leaves = [], 0, 0
        for _ in range(self.counts["trees"]):
            tree, n_leaves = Tree(splits, leaves), 0
            open_nodes = [(None, None, 0)]  # children that have not been met yet: list, place, depth
            while open_nodes:
                side, place, depth = open_nodes.pop()
                if next(bits):
                    number = len(tree.left)
                    tree.left.append(None)
                    tree.right.append(None)
                    open_nodes += [(tree.right, number, depth + 1), (tree.left, number, depth + 1)]
                    tree.depth = max(tree.depth, depth + 1)
                else:
                    number = ~n_leaves
                    n_leaves += 1
                if side is not None:
                    side[place] = number
            splits, leaves = splits + len(tree.left), leaves + n_leaves
            trees.append(tree)
        check(splits == self.counts["splits"] and leaves == self.counts["leaves"], "topology")
        outputs = self.sections.get("tree_outputs")
        for i, tree in enumerate(trees):
            tree.output = int(outputs[i % len(outputs)])
        return trees

    def rule_ids(self, tree: Tree) -> list[int]:
        """Leaf numbers by the file's rule, from left to right."""
        rule = self.header["leaf_id_rule"]
        ids, met, todo = {}, 0, [0 if tree.left else ~0]
        while todo:
            node = todo.pop(0 if rule == "level-order" else -1)
            if node < 0:
                ids[~node] = len(ids) if rule == "leaf-order" else met
            else:
                children = [tree.left[node], tree.right[node]]
                todo += children if rule == "level-order" else children[::-1]
            met += 1
        return [ids[leaf] for leaf in range(len(ids))]

    def read_leaf_ids(self) -> list[int]:
        stored = list(self.sections.get("leaf_ids", []))
        explicit = self.sections.get("leaf_id_explicit", [0] * len(self.trees))
        ids = []
        for tree, is_explicit in zip(self.trees, explicit):
            n = len(tree.left) + 1
            ids += stored[:n] if is_explicit else self.rule_ids(tree)
            stored = stored[n:] if is_explicit else stored
        check(len(ids) == self.counts["leaves"] and not stored, "leaf_ids")
        return ids

    def read_covers(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights of splits and leaves; empty if the file has none."""
        leaves = self.sections.get("leaf_covers")
        if leaves is None:
            check("split_covers" not in self.sections, "split_covers")
            return np.zeros(0), np.zeros(0)
        check(len(leaves) == self.counts["leaves"], "leaf_covers")
        if "split_covers" in self.sections:
            splits = self.sections["split_covers"]
        else:
            splits = np.zeros(self.counts["splits"])
            for tree in self.trees:
                def cover(node: int) -> float:
                    return splits[tree.first_split + node] if node >= 0 else leaves[tree.first_leaf + ~node]
                for split in reversed(range(len(tree.left))):
                    splits[tree.first_split + split] = cover(tree.left[split]) + cover(tree.right[split])
        check(len(splits) == self.counts["splits"], "split_covers")
        found = np.concatenate([splits, leaves]).astype(np.float64)
        check(bool(np.isfinite(found).all() and (found >= 0).all()), "covers")
        return found[:len(splits)], found[len(splits):]

    def read_linear_leaves(self) -> list[tuple]:
        """(constant, features, coefficients) of each leaf; empty if all leaves are plain."""
        if "linear_leaves" not in self.header["requires"]:
            return []
        n_terms = self.section("leaf_terms", self.counts["leaves"])
        ends = np.cumsum(n_terms)
        features = self.section("term_features", int(ends[-1]))
        coefficients = self.section("term_coefficients", int(ends[-1]))
        return [(constant, features[end - n:end], coefficients[end - n:end]) for constant, n, end in
                zip(self.section("leaf_constants", self.counts["leaves"]), n_terms, ends)]

    # ---- scores -----------------------------------------------------------------------------------

    def step(self, step: Step, x):
        a, b, missing = np.float64(step.a), np.float64(step.b), np.isnan(x)
        if step.operation == "lookup":
            keys = np.arange(len(step.values)) if step.keys is None else step.keys
            found = np.flatnonzero(keys == x)
            return b if missing else step.values[found[0]] if len(found) else a
        return {"identity": x, "add": x + a, "subtract": x - a, "multiply": x * a,
                "divide": x / a if step.operation == "divide" else x, "clip": a if x < a else b if x > b else x,
                "replace_missing": a if missing else x, "replace": b if x == a else x,
                "greater": b if missing else float(x > a), "equal": b if missing else float(x == a),
                "is_missing": float(missing), "truncate": np.trunc(x)}[step.operation]

    def root(self, column: Column, row):
        if column.root == "value":
            return self.input(column.source, row)
        sources = [self.source(s, row) for s in column.sources]
        if column.root == "hash":
            h = 0
            for v in sources:
                if not (-2**31 <= v < 2**32 and v == np.trunc(v)):
                    return np.float64(np.nan)
                v = int(v) % 2**32
                v += 0xFFFFFFFF00000000 * (v >> 31)
                h = 0x4906BA494954CB65 * (h + 0x4906BA494954CB65 * v) % 2**64
            return np.float64(column.hashes.index(h) if h in column.hashes else np.nan)
        number = np.float32 if column.is_f32 else np.float64
        x, sources = number(self.source(column.source, row)), [number(s) for s in sources]
        if column.root in ("norm_max", "norm_signed_max"):
            sizes = [s if column.root == "norm_signed_max" else abs(s) for s in sources if not np.isnan(s)]
            norm = max(sizes, default=number(0 if column.root == "norm_max" else -np.inf))
        else:
            norm = number(0)
            for s in sources:
                norm = norm + (abs(s) if column.root == "norm_l1" else s * s)
        if column.root == "norm_l2":
            norm = np.sqrt(norm)
        if norm == 0 or abs(np.float64(norm)) < column.least:
            return np.float64(x)
        if column.root == "norm_l2_ratio":
            return np.float64(np.copysign(np.sqrt(x * x / norm), x))
        return np.float64(x / norm)

    def input(self, feature: int, row):
        """What a derived column sees of a feature."""
        if self.contract["category_rule"] == "cityhash32" and self.features[feature]["type"] == "category":
            category = None if np.isnan(row[feature]) else self.category(row[feature])
            return np.float64(np.nan if category is None else category)
        return np.float64(row[feature])

    def source(self, column: int, row):
        return self.input(column, row) if column < len(self.features) else self.value(column, row)

    def value(self, column: int, row):
        """Of an input or a derived column, as a double."""
        if column < len(self.features):
            return np.float64(row[column])
        derived = self.columns[column - len(self.features)]
        with np.errstate(all="ignore"):
            x = self.root(derived, row)
            for step in derived.steps:
                x = np.float64(self.step(step, x))
                x = np.float64(np.float32(x)) if step.is_f32 else x
        return x

    def category(self, x: float) -> int | None:
        if self.contract["category_rule"] == "cityhash32":
            return city_hash.hash_of_number(x)
        if not np.isfinite(x) or (self.contract["category_rule"] != "truncate" and x < 0):
            return None
        if self.contract["category_rule"] == "exact" and x != int(x):
            return None
        return int(x) if int(x) >= 0 else None

    def goes_right(self, test: Test, x: float) -> bool:
        if test.kind == 0 and self.contract["compare"] == "f32":
            x = float(np.float32(x))
        if np.isnan(x) or (test.zero_is_missing and abs(x) <= TINY):
            return bool(test.missing_right)
        if test.kind == 0:
            return bool(x >= self.cuts[self.first_cut[test.feature] + test.index])
        return (self.category(x) in self.sets[test.index]) == (test.kind == 1)

    def leaf(self, tree: Tree, row) -> int:
        """The leaf that a row reaches, counted over all trees."""
        node = 0 if tree.left else ~0
        while node >= 0:
            test = self.tests[self.split_test[tree.first_split + node]]
            node = (tree.right if self.goes_right(test, self.value(test.feature, row)) else tree.left)[node]
        return tree.first_leaf + ~node

    def leaf_value(self, leaf: int, row) -> float:
        constant, features, coefficients = self.linear_leaves[leaf]
        values = [self.value(f, row) for f in features]
        if np.isnan(values).any():
            return self.leaves[leaf]
        for x, coefficient in zip(values, coefficients):
            constant = constant + coefficient * (0.0 if abs(x) <= TINY else x)
        return constant

    def margins(self, row) -> np.ndarray:
        number = np.float32 if self.contract["sum"] == "f32" else np.float64
        first = self.contract["base_position"] == "first"
        sums = [number(b) if first else number(0) for b in self.base]
        if self.is_linear():
            for f in range(len(self.n_cuts) - self.linear_first):
                x = self.value(self.linear_first + f, row)
                if not (np.isnan(x) and self.contract["linear_skip_missing"]):
                    for k in range(self.n_outputs):
                        sums[k] += number(x) * number(self.weights[f * self.n_outputs + k])
        width = self.counts["leaf_width"]
        for tree in self.trees:
            leaf = self.leaf(tree, row)
            if self.linear_leaves:
                sums[tree.output] += self.leaf_value(leaf, row)
                continue
            for k in range(width):
                sums[tree.output + k] += number(self.leaves[leaf * width + k])
        if self.contract["average"] == "margin":
            sums = [s / number(len(self.trees) // self.contract["trees_per_iteration"]) for s in sums]
        if not first:
            scale = number(self.contract["scale"])
            divides = self.contract["average"] == "scale"
            sums = [(s if scale == 1 else s / scale if divides else s * scale) + number(b) for s, b in zip(sums, self.base)]
        return np.array(sums, np.float64)
