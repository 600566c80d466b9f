"""What `scoreline convert` says of models that it cannot convert: which construct, where, and what would work instead. A file per
message, made here; and no message of the importers is without one.
"""
import json
import re

import pytest

import conftest

onnx = pytest.importorskip("onnx")
import refused_onnx  # noqa: E402: needs onnx

IMPORTERS = conftest.ROOT / "lib/import"
XGBOOST = conftest.ROOT / "tests/data/xgboost/linear-3.2.0.json"
CATBOOST = conftest.ROOT / "tests/data/catboost/ctr-1.2.10.json"
LIGHTGBM = conftest.BINARY
NO_FORMAT = b"Hello, this is no model of any kind, but long enough to be one"


def xgboost(change) -> bytes:
    document = json.loads(XGBOOST.read_bytes())
    change(document["learner"])
    return json.dumps(document).encode()


def catboost(change) -> bytes:
    document = json.loads(CATBOOST.read_bytes())
    change(document)
    return json.dumps(document).encode()


def set_at(*path):
    """A function that stores the last of `path` below the others."""
    def change(document):
        for key in path[:-2]:
            document = document[key]
        document[path[-2]] = path[-1]
    return change


def two_tables(document):
    """The same CTR twice, as CatBoost writes it for two targets; only the tables would differ."""
    ctrs = document["features_info"]["ctrs"]
    ctrs.append(next(ctr for ctr in ctrs if ctr["ctr_type"] == "Borders"))


def lightgbm(old: str, new: str) -> bytes:
    text = LIGHTGBM.read_text()
    assert old in text
    return text.replace(old, new, 1).encode()


def classes_and_targets(learner):
    learner["learner_model_param"].update(num_class="3", num_target="2")


OTHERS = [
    ("XGBoost classes and targets", xgboost(classes_and_targets), ["3 classes and 2 targets", "byte ", "supported is one of"]),
    ("XGBoost without weights", xgboost(set_at("gradient_booster", "model", "weights", [])),
     ["the model was not trained: it has no weights", "byte ", "train it, then save it again"]),
    ("XGBoost booster", xgboost(set_at("gradient_booster", "name", "gbforest")), ['booster "gbforest"', "byte ", "supported are gbtree"]),
    ("XGBoost objective", xgboost(set_at("objective", "name", "reg:mine")), ['objective "reg:mine"', "byte ", "supported are those of"]),
    ("LightGBM objective", lightgbm("objective=binary", "objective=mine"), ['objective "mine', "line ", "supported are those of"]),
    ("CatBoost loss", catboost(set_at("model_info", "params", {"loss_function": {"type": "Mine"}})),
     ['loss function "Mine"', "byte ", "remove model_info.params.loss_function"]),
    ("CatBoost text", catboost(set_at("features_info", "text_features", [{"feature_index": 0}])),
     ['"text_features"', "byte ", "train with numeric and categorical features only"]),
    ("CatBoost embeddings", catboost(set_at("features_info", "embedding_features", [{"feature_index": 0}])),
     ['"embedding_features"', "byte ", "train with numeric and categorical features only"]),
    ("CatBoost split", catboost(set_at("oblivious_trees", 0, "splits", 0, "split_type", "EstimatedFeature")),
     ['splits of the type "EstimatedFeature"', "byte ", "supported are FloatFeature"]),
    ("CatBoost CTR", catboost(set_at("features_info", "ctrs", 0, "ctr_type", "Strange")),
     ['CTRs of the type "Strange"', "byte ", "supported are Borders"]),
    ("CatBoost projection", catboost(set_at("features_info", "ctrs", 0, "elements", 0, "combination_element", "strange")),
     ['combination elements of the type "strange"', "byte ", "supported are cat_feature_value"]),
    ("CatBoost CTRs without tables", catboost(lambda document: document.pop("ctr_data")),
     ["no tables for them", "byte ", 'train with final_ctr_computation_mode="Default"']),
    ("CatBoost target borders", catboost(two_tables), ["CTRs of several targets", "byte ", "train with simple_ctr"]),
]

# The file as a whole: there is no place in it to name.
WHOLES = [
    (b"\x80\x02" + NO_FORMAT, "Python pickle", "save_model()"), (b"\x80\x03" + NO_FORMAT, "Python pickle", "save_model()"),
    (b"\x80\x04" + NO_FORMAT, "Python pickle", "save_model()"), (b"\x80\x05" + NO_FORMAT, "Python pickle", "save_model()"),
    (b"CBM1" + NO_FORMAT, "CatBoost binary model", 'format="json"'),
    (b"binf" + NO_FORMAT, "XGBoost binary model", "save_model"), (b"bs64" + NO_FORMAT, "XGBoost binary model", "save_model"),
    (bytes(136) + b"gbtree" + bytes(40), "XGBoost binary model", "save_model"),
    (b"\x1f\x8b" + NO_FORMAT, "compressed", "unpack it"), (b"PK\x03\x04" + NO_FORMAT, "compressed", "unpack it"),
    (b"BZh" + NO_FORMAT, "compressed", "unpack it"), (b"\xfd7zXZ" + NO_FORMAT, "compressed", "unpack it"),
    (b"\x28\xb5\x2f\xfd" + NO_FORMAT, "compressed", "unpack it"), (b"\x89HDF" + NO_FORMAT, "HDF5", "export those as ONNX"),
    (b"booster[0]:\n0:[f0<1]", "text dump of XGBoost", "save_model()"), (b"<?xml version='1.0'?>", "XML", "or as ONNX"),
    (b"<PMML version='4.4'>", "PMML", "or as ONNX"), (b'[{"nodeid": 0, "leaf": 1}]', "JSON dump of XGBoost", "save_model()"),
    (b'{"tree_info": [], "num_tree_per_iteration": 1}', "JSON dump of LightGBM", "save_model()"),
    (b'{"mine": 1}', 'JSON without the key "learner"', "save_model()"), (b"{i\x04mineU\x01}", 'UBJSON without the key "learner"', "save_model()"),
    (NO_FORMAT, "no known model format", "expected XGBoost JSON"),
]
CASES = [*refused_onnx.CASES, *OTHERS,
         *((f"content {i}", data, ["the ", what, instead]) for i, (data, what, instead) in enumerate(WHOLES))]


def refused(folder, data, options=()) -> str:
    path = folder / "model"
    path.write_bytes(data)
    done = conftest.fail(1, "convert", path, "-o", folder / "model.slm", *options)
    assert not (folder / "model.slm").exists()
    return done.err


@pytest.mark.parametrize("name, data, says, options", [(*case, [])[:4] for case in CASES], ids=[case[0] for case in CASES])
def test_refusal(tmp_path, name, data, says, options):
    message = refused(tmp_path, data, options)
    for words in says:
        assert words in message, message
    assert len(message) > 40 and "..." not in message[-5:]


CONVERTED = "a Scoreline model already: open it, it needs no conversion"


def test_a_model_of_ours(tmp_path):
    """The library's importers refuse it; the command opens it, and says so if it is broken."""
    scoreline = pytest.importorskip("scoreline")
    conftest.succeed("convert", XGBOOST, "-o", tmp_path / "one.slm")
    with pytest.raises(scoreline.UnsupportedError, match=CONVERTED):
        scoreline.convert((tmp_path / "one.slm").read_bytes())


@pytest.mark.parametrize("line, has_labels", [
    ('[["red", "green", "blue", "grey", "white", "black", "pink"]]', True), ("null", False), ('{"a": [1]}', False),
    ("[[[1]]]", False), ('[{"a": 1}]', False), ("[1, 2]", False), ("[[", False), ('[["red"]]', False)])
def test_labels_of_lightgbm_that_are_none(tmp_path, line, has_labels):
    """The last line is a comment to LightGBM: what is no list of lists of enough labels is left alone, and no reason to refuse."""
    scoreline = pytest.importorskip("scoreline")
    text = LIGHTGBM.read_text().rpartition("pandas_categorical:")[0]
    (tmp_path / "model.txt").write_text(f"{text}pandas_categorical:{line}\n")
    conftest.succeed("convert", tmp_path / "model.txt", "-o", tmp_path / "model.slm")
    assert bool(scoreline.load(tmp_path / "model.slm").categories) == has_labels


# ---- no message without a file ---------------------------------------------------------------------------------------

LITERALS = r'((?:\s*(?:"(?:[^"\\]|\\.)*"|WITHOUT))+)'


def literal(text: str) -> str:
    words = re.sub("WITHOUT", '"; train with numeric and categorical features only"', text)
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', words)).replace('\\"', '"')


# Sites without a message of their own, and why.
NO_MESSAGE = ["import_onnx_refuse(g, op, refused[i].why)",  # of a table, which is read below
              'SCORE_ERR_UNSUPPORTED, "%s", what)',         # import_onnx_refuse() itself
              'SCORE_ERR_UNSUPPORTED, "the file is %s", what)',  # of a table, which is read below
              "return SCORE_ERR_UNSUPPORTED;"]              # test_labels_of_lightgbm_that_are_none


def formats() -> list:
    """(place, format) of every message that refuses a construct, from the importers' source."""
    found = []
    for path in sorted(IMPORTERS.glob("*.c")):
        source = path.read_text()
        for start in re.finditer(r"SCORE_ERR_UNSUPPORTED[^\";]*|import_onnx_refuse\(g, op,[^\";]*", source):
            text = re.match(LITERALS, source[start.end():])
            rest = source[start.start() - 20:start.end() + 40]
            if not any(known in rest for known in NO_MESSAGE):
                assert text, rest
                found.append((path.name, literal(text[1])))
        if path.name == "onnx_graph.c":
            table = source[source.index("} refused[] = {"):]
            found += [(path.name, literal(why)) for why in re.findall(r'\{"\w+", ("[^\n]*")\},', table[:table.index("};")])]
        if path.name == "detect.c":
            end = source[source.index("what we refuse"):source.index("score_status import_refuse_unknown")]
            found += [(path.name, text) for text in map(literal, re.findall(r'"(?:[^"\\]|\\.)*"', end))
                      if re.match(r"(an? |JSON |UBJSON |XML |PMML)", text) and text != CONVERTED]
    return found


def pattern(text: str) -> str:
    return re.sub(r"%(?:z|ll)?[sudg]", ".*", re.escape(text).replace(r"\%", "%"))


def test_no_message_without_a_file(tmp_path):
    messages = "".join(refused(tmp_path, data, options) for _, data, _, options in [(*case, [])[:4] for case in CASES])
    known = formats()
    assert len(known) >= 75
    without = [place for place in known if not re.search(pattern(place[1]), messages)]
    assert not without
