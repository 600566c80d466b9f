"""ONNX files against onnxruntime: graphs made at random in every form that the operators have, and what skl2onnx,
onnxmltools and CatBoost write for real models. Every model comes from its seed alone.

onnxruntime runs on one thread: with several it sums trees in another order. Operators of versions 1 and 3 answer in float,
so the margins of their models in double are compared with version 5's. Predictions have the same bits where onnxruntime
uses the C library's expf, as its tree operators do; its operators Exp and Sigmoid, and sums of linear models, are its own.
"""
import itertools
import warnings

import catboost
import lightgbm
import numpy as np
import onnxmltools
import pytest
import sklearn.ensemble
import sklearn.tree
import xgboost
from onnx import TensorProto, helper, numpy_helper
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx

import bit_check
import c_interface
import onnx_models as om
import probe_rows
from conftest import MODE

N = {"quick": 1, "default": 3, "long": 12}[MODE]
COMPAT = {"specification": 0, "onnxruntime": 1}
TRANSFORMS = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"]
OWN_EXP_ULP = 64  # onnxruntime's operators Exp and Sigmoid have approximations of their own
VERSIONS = [(1, np.float32), (3, np.float32), (1, np.float64), (3, np.float64), (5, np.float32), (5, np.float64)]


def seeds(*parts):
    return np.random.default_rng([sum(map(ord, str(p))) for p in parts] + [len(parts)])


def rows_for(rng, thresholds, n_features, n=700, nan_rate=0.15, integral=()):
    seen = rng.standard_normal((200, n_features))
    for feature in integral:
        seen[:, feature] = rng.integers(0, 9, 200)
    return probe_rows.probe(rng, seen, thresholds, n, nan_rate=nan_rate)


def asking(data, dtype):
    s = om.session(data)

    def answer(x):
        with np.errstate(over="ignore"):
            return om.scores(s, x.astype(dtype))

    return answer


def check(tally, kind, name, data, rows, dtype=np.float32, margin=None, prediction=None, ulp=0, compat="specification",
          **options):
    """`margin` and `prediction`: functions of rows, or None: what onnxruntime answers."""
    answer = asking(data, dtype)
    oracle = bit_check.Oracle(margin=margin or answer, prediction=prediction or answer, prediction_ulp=ulp,
                              prediction_type=np.float32, **options)
    return bit_check.Checker(name, data, oracle, rows, tally("onnxruntime", kind), onnx_compat=COMPAT[compat]).run()


def node_of(f, version, transform="NONE", aggregate="SUM", base=None):
    if version == 5:
        return om.ensemble5(f, post_transform=TRANSFORMS.index(transform),
                            aggregate_function=["AVERAGE", "SUM"].index(aggregate))
    # Version 1 has the attribute too.
    return om.regressor(f, version, base, post_transform=transform, aggregate_function=aggregate)


def margins_of(f, version, **how):
    """Untransformed sums in the model's own type: those of double models only version 5 gives out."""
    if f.dtype is np.float32:
        return asking(om.single(node_of(f, version, **how), f, version), f.dtype)
    base = how.pop("base", None)
    plain = asking(om.single(node_of(f, 5, **how), f, 5), f.dtype)
    return plain if base is None else lambda x: plain(x) + np.asarray(base, float)


# ---- regressors ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(2 * N))
@pytest.mark.parametrize("mode", [*om.MODES, "mixed"])
def test_modes(mode, seed, tally):
    rng = seeds("mode", mode, seed)
    whole = {0, 2, 4}
    f = om.random_forest(rng, modes=om.MODES[:4] if mode == "mixed" else [mode], integral=whole, missing=seed % 2 / 2)
    rows = rows_for(rng, f.thresholds(), f.n_features, integral=whole)
    check(tally, "comparison " + mode.removeprefix("BRANCH_"), f"onnx-{mode}-{seed}", om.single(om.regressor(f), f), rows)


@pytest.mark.parametrize("seed", range(2 * N))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["all", "sets"])
def test_every_comparison_in_one_tree(kind, dtype, seed, tally):
    rng = seeds("all", kind, dtype.__name__, seed)
    whole = set(range(5)) if kind == "sets" and seed % 2 else {1, 3}
    modes = ["BRANCH_MEMBER", *om.MODES[:1 + seed % 2]] if kind == "sets" else [*om.MODES, "BRANCH_MEMBER"]
    f = om.random_forest(rng, depth=3, modes=modes, dtype=dtype, integral=whole)
    for node in f.nodes:
        if kind == "sets":  # beyond 30, or with fractions, onnxruntime truncates what it looks up
            node.members = [m % 31 if m == int(m) else 5.0 for m in node.members if np.isfinite(m)] or node.members[:0]
        elif node.mode == "BRANCH_MEMBER":
            node.members = sorted({abs(int(m)) % 31 for m in node.members if np.isfinite(m)}) or [2.0]
    for node in f.nodes:
        if node.mode == "BRANCH_MEMBER":
            node.members = [float(abs(int(m)) % 31) for m in node.members] or [2.0]
    rows = rows_for(rng, f.thresholds(), 5, integral=whole)
    check(tally, "comparisons mixed, version 5", f"onnx-{kind}-{dtype.__name__}-{seed}",
          om.single(om.ensemble5(f), f, 5), rows, dtype)


@pytest.mark.parametrize("seed", range(N))
@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE"])
@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("version, dtype", VERSIONS)
def test_versions(version, dtype, n_targets, aggregate, seed, tally):
    rng = seeds("version", version, dtype.__name__, n_targets, aggregate, seed)
    wide = version != 1 and dtype is np.float64
    votes = ["one", "leaf"][seed % 2] if version == 5 else ["one", "all", "leaf"][seed % 3]
    f = om.random_forest(rng, n_targets=n_targets, modes=om.MODES[:4], dtype=dtype if wide else np.float32, votes=votes)
    f.dtype = dtype
    base = rng.normal(size=n_targets).astype(np.float64 if wide else np.float32).tolist() \
        if version < 5 and seed % 2 == 0 and votes != "leaf" else None
    data = om.single(node_of(f, version, aggregate=aggregate, base=base), f, version)
    margin = margins_of(f, version, aggregate=aggregate, base=base) if votes != "all" or dtype is np.float32 else None
    rows = rows_for(rng, f.thresholds(), f.n_features)
    if margin is None:  # votes for several targets per leaf: only as floats
        model = c_interface.Model.imported(data)
        got = model.score(c_interface.Rows(rows), output=c_interface.PREDICTION)
        assert (got == asking(data, dtype)(rows)).all()
        return
    check(tally, f"version {version}, {dtype.__name__}", f"onnx-v{version}-{dtype.__name__}-{n_targets}-{aggregate}-{seed}",
          data, rows, dtype, margin=margin)


@pytest.mark.parametrize("seed", range(3 * N))
def test_order_of_additions(seed, tally):
    rng = seeds("order", seed)
    dtype = [np.float32, np.float64][seed % 2]
    f = om.random_forest(rng, n_trees=41, depth=3, n_targets=1 + seed % 3, dtype=dtype, spread=6,
                         votes="leaf" if seed % 3 == 1 else "one")
    data = om.single(om.ensemble5(f), f, 5)
    check(tally, "order of additions", f"onnx-order-{seed}", data, rows_for(rng, f.thresholds(), 5), dtype)


@pytest.mark.parametrize("seed", range(N))
@pytest.mark.parametrize("transform", TRANSFORMS[1:])
@pytest.mark.parametrize("version, dtype", VERSIONS)
def test_transforms_of_several_targets(version, dtype, transform, seed, tally):
    rng = seeds("transform", version, dtype.__name__, transform, seed)
    f = om.random_forest(rng, n_targets=3, modes=om.MODES[:4], specials=False)
    f.dtype = dtype
    for node in f.nodes:
        scale = 0.1 if transform == "PROBIT" else rng.choice([1.0, 1e-8])
        node.votes = [(t, float(np.float32(abs(w) * scale))) for t, w in node.votes]
    rows = rows_for(rng, f.thresholds(), 5)
    for compat in COMPAT:
        data = om.single(node_of(f, version, transform), f, version)
        asked = data
        if version == 5 and compat == "specification" and transform in TRANSFORMS[1:3]:
            asked = om.single(node_of(f, version, TRANSFORMS[3 - TRANSFORMS.index(transform)]), f, version)
        in_double = dtype is np.float64 and asked != data  # the specification's; onnxruntime computes these two in float
        check(tally, f"transform {transform}", f"onnx-{transform}-{version}-{dtype.__name__}-{seed}-{compat}", data, rows,
              dtype, margin=margins_of(f, version), prediction=asking(asked, dtype), compat=compat, ulp=4 if in_double else 0)


@pytest.mark.parametrize("transform", TRANSFORMS[1:])
@pytest.mark.parametrize("version", [1, 5])
def test_transforms_of_one_target(version, transform, tally):
    """The specification applies them, onnxruntime only PROBIT."""
    rng = seeds("transform one", version, transform)
    f = om.random_forest(rng, modes=om.MODES[:4], specials=False)
    for node in f.nodes:
        node.votes = [(t, abs(w) / 10) for t, w in node.votes]
    data, rows = om.single(node_of(f, version, transform), f, version), rows_for(rng, f.thresholds(), 5)
    margin = margins_of(f, version)
    check(tally, f"transform {transform}", f"onnx-one-{transform}-{version}", data, rows, margin=margin,
          compat="onnxruntime")
    with np.errstate(all="ignore"):
        formulas = {"SOFTMAX": lambda s: np.ones_like(s), "SOFTMAX_ZERO": lambda s: s / s,
                    "LOGISTIC": lambda s: 1 / (1 + np.exp(-s))}
        if transform != "PROBIT":
            check(tally, f"transform {transform}", f"onnx-one-{transform}-{version}-spec", data, rows, margin=margin,
                  prediction=lambda x: formulas[transform](margin(x)), ulp=OWN_EXP_ULP)


# ---- classifiers -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("signs", ["positive", "signed"])
@pytest.mark.parametrize("transform", TRANSFORMS[:3])
@pytest.mark.parametrize("base", [False, True])
def test_two_classes_with_one_score(base, transform, signs, dtype, tally):
    rng = seeds("one score", base, transform, signs, dtype.__name__)
    f = om.random_forest(rng, modes=om.MODES[:4], specials=False)
    for node in f.nodes:
        node.votes = [(0, float(np.float32(abs(w) / 5)) if signs == "positive" else w) for _, w in node.votes]
    single = om.Forest(f.nodes, 5, 1, dtype)
    f.n_targets, f.dtype = 2, dtype
    values = [float(np.float32(0.1))] if base else None
    data = om.single(om.classifier(f, 1, values, labels=["no", "yes"], post_transform=transform), f)
    rows = rows_for(rng, f.thresholds(), 5)
    margin = margins_of(single, 1 if dtype is np.float32 else 5, base=values)
    for compat in COMPAT:
        if transform == "SOFTMAX" and compat == "specification":
            continue  # test_softmax_of_one_score
        model = check(tally, "two classes, one score", f"onnx-pair-{base}-{transform}-{signs}-{dtype.__name__}-{compat}", data,
                      rows, dtype, margin=margin, compat=compat)
        labels = np.array(["no", "yes"])[model.score(c_interface.Rows(rows), output=c_interface.CLASS).ravel().astype(int)]
        if compat == "onnxruntime":
            assert (labels == om.answers(om.session(data), rows.astype(dtype))[0]).all()
        else:
            scores = asking(data, dtype)(rows)
            assert (labels == np.array(["no", "yes"])[np.argmax(scores, axis=1)]).all()


def test_softmax_of_one_score():
    rng = seeds("softmax pair")
    f = om.random_forest(rng, specials=False)
    margin = asking(om.single(om.regressor(f), f), np.float32)
    f.n_targets = 2
    data = om.single(om.classifier(f, post_transform="SOFTMAX"), f)
    rows = rows_for(rng, f.thresholds(), 5)
    got = c_interface.Model.imported(data).score(c_interface.Rows(rows), output=c_interface.PREDICTION)
    s = margin(rows).astype(float)
    assert np.allclose(got, np.hstack([1 / (1 + np.exp(2 * s)), 1 / (1 + np.exp(-2 * s))]), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("seed", range(N))
@pytest.mark.parametrize("transform", TRANSFORMS[:4])
@pytest.mark.parametrize("n_classes, base", [(2, False), (3, False), (3, True), (7, True)])
def test_scores_by_class(n_classes, base, transform, seed, tally):
    rng = seeds("classes", n_classes, base, transform, seed)
    version, dtype = VERSIONS[seed % 3]
    votes = ["all", "one", "leaf"][seed % 3]
    f = om.random_forest(rng, n_trees=2 * n_classes, n_targets=n_classes, modes=om.MODES[:4], votes=votes, specials=False)
    f.dtype = np.float32
    values = rng.normal(size=n_classes).astype(np.float32).tolist() if base else None
    labels = list(range(5, 5 + n_classes)) if seed % 2 else [f"class {i}" for i in range(n_classes)]
    rows = rows_for(rng, f.thresholds(), 5)
    data = om.single(om.classifier(f, 1, values, labels=labels, post_transform=transform), f)
    margin = asking(om.single(om.classifier(f, 1, values, labels=labels), f), np.float32)
    if n_classes == 2 and votes == "leaf":  # onnxruntime takes class 0 for the only score where class 1 has no vote
        check(tally, "2 classes", f"onnx-classes-2-leaf-{transform}-{seed}", data, rows,
              margin=asking(om.single(om.regressor(f), f), np.float32),
              prediction=asking(om.single(om.regressor(f, post_transform=transform), f), np.float32))
        return
    for compat in COMPAT:
        model = check(tally, f"{n_classes} classes", f"onnx-classes-{n_classes}-{base}-{transform}-{seed}-{compat}", data, rows,
                      margin=margin, compat=compat)
        if n_classes > 2 and votes != "leaf":  # see docs/onnx.md for the label of two classes and of absent votes
            found = model.score(c_interface.Rows(rows), output=c_interface.CLASS).ravel().astype(int)
            expected = om.answers(om.session(data), rows.astype(np.float32))[0]
            assert (np.array(labels)[found] == expected).all()


# ---- graphs ----------------------------------------------------------------------------------------------------------

def constant(name, values, dtype=np.int64):
    return numpy_helper.from_array(np.array(values, dtype), name)


def test_columns_joined_and_selected(tally):
    """Features come from three inputs, in another order, some twice."""
    rng = seeds("columns")
    f = om.random_forest(rng, n_features=5, modes=om.MODES[:4], integral={4})
    node = om.regressor(f)
    node.input[0] = "columns"
    element = TensorProto.FLOAT
    data = om.graph(
        [helper.make_node("Cast", ["count"], ["count_"], to=element),
         helper.make_node("Concat", ["a", "b", "count_"], ["all"], axis=1),
         helper.make_node("ArrayFeatureExtractor", ["all", "order"], ["some"], domain="ai.onnx.ml"),
         helper.make_node("Gather", ["all", "last"], ["more"], axis=1),
         helper.make_node("Concat", ["some", "more"], ["joined"], axis=-1),
         helper.make_node("Identity", ["joined"], ["same"]),
         helper.make_node("Reshape", ["same", "shape"], ["columns"]), node],
        [("a", element, [None, 1]), ("b", element, [None, 2]), ("count", TensorProto.INT64, [None, 1])],
        [("y", element)], [constant("order", [2, 0, 2]), constant("last", [1, 3]), constant("shape", [-1, 5])])
    model = c_interface.Model.imported(data)
    assert model.info.n_features == 4
    names = [c_interface.lib.score_model_feature_name(model.handle, i) for i in range(4)]
    assert [c_interface.c.string_at(n) if isinstance(n, int) else n for n in names] == [b"a", b"b[0]", b"b[1]", b"count"]
    rows = rng.standard_normal((400, 4)).astype(np.float32)
    rows[:, 3] = rng.integers(0, 8, 400)
    wanted = om.session(data).run(None, {"a": rows[:, :1], "b": rows[:, 1:3], "count": rows[:, 3:].astype(np.int64)})[0]
    assert (model.score(c_interface.Rows(rows)) == wanted).all()


@pytest.mark.parametrize("seed", range(N))
def test_float_columns_against_double_thresholds(seed, tally):
    rng = seeds("widened", seed)
    f = om.random_forest(rng, dtype=np.float64, modes=om.MODES, integral={0})
    node = om.ensemble5(f)
    node.input[0] = "wide"
    data = om.graph([helper.make_node("Cast", ["x"], ["wide"], to=TensorProto.DOUBLE), node],
                    [("x", TensorProto.FLOAT, [None, 5])], [("y", TensorProto.DOUBLE)], version=5)
    check(tally, "float columns, double model", f"onnx-widened-{seed}", data, rows_for(rng, f.thresholds(), 5, integral=[0]))


@pytest.mark.parametrize("seed", range(N))
def test_double_columns_cast_to_float(seed, tally):
    rng = seeds("narrowed", seed)
    f = om.random_forest(rng, modes=om.MODES[:4])
    node = om.regressor(f)
    node.input[0] = "narrow"
    data = om.graph([helper.make_node("Cast", ["x"], ["narrow"], to=TensorProto.FLOAT), node],
                    [("x", TensorProto.DOUBLE, [None, 5])], [("y", TensorProto.FLOAT)])
    check(tally, "double columns, float model", f"onnx-narrowed-{seed}", data, rows_for(rng, f.thresholds(), 5), np.float64)


@pytest.mark.parametrize("operator, formula", [("Exp", np.exp), ("Sigmoid", lambda s: 1 / (1 + np.exp(-s)))])
def test_functions_behind(operator, formula, tally):
    rng = seeds(operator)
    f = om.random_forest(rng, specials=False)
    margin = margins_of(f, 1)
    node = om.regressor(f)
    node.output[0] = "s"
    nodes = [node, helper.make_node(operator, ["s"], ["t"])]
    more = []
    if operator == "Exp":
        nodes.append(helper.make_node("Mul", ["t", "factor"], ["y"]))
        more = [constant("factor", [0.3], np.float32)]
    else:
        nodes.append(helper.make_node("Reshape", ["t", "shape"], ["y"]))
        more = [constant("shape", [-1, 1])]
    data = om.graph(nodes, [("x", TensorProto.FLOAT, [None, 5])], [("y", TensorProto.FLOAT)], more)
    rows, scale = rows_for(rng, f.thresholds(), 5), np.float32(0.3 if operator == "Exp" else 1)

    def computed(x):
        return (formula(margin(x).astype(np.float32)) * scale).astype(np.float32)

    model = check(tally, "functions behind", f"onnx-{operator}", data, rows, margin=margin, prediction=computed, ulp=4)
    assert np.allclose(model.score(c_interface.Rows(rows), output=c_interface.PREDICTION), asking(data, np.float32)(rows),
                       rtol=1e-5, atol=1e-6)


# ---- what converters write ---------------------------------------------------------------------------------------------

def training(rng, target, n=300, n_features=6):
    x = rng.standard_normal((n, n_features))
    x[:, 0] = rng.integers(0, 6, n)
    y = x[:, 1] - x[:, 2] * x[:, 3] + np.sin(3 * x[:, 0])
    rank = np.argsort(np.argsort(y))
    return x.astype(np.float32), {"reg": y, "multi": np.column_stack([y, -y]), 2: rank * 2 // n, 3: rank * 3 // n}[target]


def thresholds_of(data) -> dict:
    import onnx
    found = {}
    for node in onnx.load_model_from_string(data).graph.node:
        a = {x.name: helper.get_attribute_value(x) for x in node.attribute}
        for feature, value, mode in zip(a.get("nodes_featureids", []), a.get("nodes_values", []), a.get("nodes_modes", [])):
            if mode != b"LEAF":
                found.setdefault(feature, []).append(value)
    return {feature: np.array(values) for feature, values in found.items()}


def check_converted(tally, kind, name, model, x, rng, ulp=0, nan_rate=0.0):
    data = model if isinstance(model, bytes) else model.SerializeToString()
    rows = probe_rows.probe(rng, x.astype(float), thresholds_of(data), 700, nan_rate=nan_rate)
    model = c_interface.Model.imported(data)
    if model.link in ("identity",):
        return check(tally, kind, name, data, rows, ulp=ulp)
    # Margins: of the file's own trees, which test_versions compares.
    return check(tally, kind, name, data, rows, ulp=ulp,
                 margin=lambda v: model.score(c_interface.Rows(np.ascontiguousarray(v, np.float32))))


SKLEARN = {
    "tree": lambda s: sklearn.tree.DecisionTreeRegressor(max_depth=6, random_state=s),
    "forest": lambda s: sklearn.ensemble.RandomForestRegressor(9, max_depth=5, random_state=s),
    "extra": lambda s: sklearn.ensemble.ExtraTreesRegressor(7, max_depth=5, random_state=s),
    "boosting": lambda s: sklearn.ensemble.GradientBoostingRegressor(n_estimators=15, random_state=s),
    "tree classifier": lambda s: sklearn.tree.DecisionTreeClassifier(max_depth=6, random_state=s),
    "forest classifier": lambda s: sklearn.ensemble.RandomForestClassifier(9, max_depth=5, random_state=s),
    "extra classifier": lambda s: sklearn.ensemble.ExtraTreesClassifier(7, max_depth=5, random_state=s),
    "boosting classifier": lambda s: sklearn.ensemble.GradientBoostingClassifier(n_estimators=9, random_state=s),
}


@pytest.mark.parametrize("seed", range(2 * N))
@pytest.mark.parametrize("name", SKLEARN)
def test_skl2onnx(name, seed, tally):
    rng = seeds(name, seed)
    target = [2, 3][seed % 2] if "classifier" in name else ["reg", "multi"][seed % 2 if "boost" not in name else 0]
    x, y = training(rng, target)
    estimator = SKLEARN[name](seed).fit(x, y)
    options = {}
    if "classifier" in name:
        options["options"] = {"zipmap": bool(seed // 2 % 2)}
        if seed % 4 == 1:  # the names of the classes as an output of their own
            options["options"]["output_class_labels"] = True
            y = np.array(["zero", "one", "two"])[y]
            estimator.fit(x, y)
    check_converted(tally, "skl2onnx " + name, f"onnx-skl-{name}-{seed}", to_onnx(estimator, x[:1], **options), x, rng)


def of_onnxmltools(convert, model, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return convert(model, initial_types=[("x", FloatTensorType([None, 6]))], **options)


@pytest.mark.parametrize("seed", range(N))
@pytest.mark.parametrize("objective", ["reg:squarederror", "count:poisson", "reg:quantileerror", 2, 3])
def test_xgboost(objective, seed, tally):
    rng = seeds("xgb", objective, seed)
    x, y = training(rng, objective if isinstance(objective, int) else "reg")
    if isinstance(objective, int):
        model = xgboost.XGBClassifier(n_estimators=9, max_depth=1 + seed % 4, random_state=seed).fit(x, y)
    else:
        more = {"quantile_alpha": 0.3} if "quantile" in objective else {}
        model = xgboost.XGBRegressor(n_estimators=9, max_depth=1 + seed % 4, objective=objective, **more).fit(x, np.abs(y))
    check_converted(tally, "onnxmltools, XGBoost", f"onnx-xgb-{objective}-{seed}",
                    of_onnxmltools(onnxmltools.convert_xgboost, model), x, rng, nan_rate=0.1,
                    ulp=OWN_EXP_ULP if objective == "count:poisson" else 0)


@pytest.mark.parametrize("seed", range(N))
@pytest.mark.parametrize("objective", ["regression", "poisson", "categories", 2, 3])
def test_lightgbm(objective, seed, tally):
    rng = seeds("lgb", objective, seed)
    x, y = training(rng, objective if isinstance(objective, int) else "reg")
    common = {"n_estimators": 9, "num_leaves": 3 + 5 * seed, "verbose": -1, "min_child_samples": 3, "n_jobs": 1}
    if isinstance(objective, int):
        model = lightgbm.LGBMClassifier(**common).fit(x, y)
    elif objective == "categories":
        model = lightgbm.LGBMRegressor(**common, min_data_per_group=1, cat_smooth=0).fit(x, y, categorical_feature=[0])
    else:
        model = lightgbm.LGBMRegressor(**common, objective=objective).fit(x, np.abs(y))
    check_converted(tally, "onnxmltools, LightGBM", f"onnx-lgb-{objective}-{seed}",
                    of_onnxmltools(onnxmltools.convert_lightgbm, model, zipmap=bool(seed % 2)), x, rng, nan_rate=0.1,
                    ulp=OWN_EXP_ULP if objective == "poisson" else 0)


@pytest.mark.parametrize("seed", range(N))
@pytest.mark.parametrize("target", ["reg", 2, 3])
def test_catboost(target, seed, tally, tmp_path):
    rng = seeds("cb", target, seed)
    x, y = training(rng, target)
    kind = catboost.CatBoostRegressor if target == "reg" else catboost.CatBoostClassifier
    model = kind(iterations=9, depth=1 + seed % 4, verbose=0, allow_writing_files=False, thread_count=1).fit(x, y)
    model.save_model(str(tmp_path / "m.onnx"), format="onnx")
    check_converted(tally, "CatBoost's own", f"onnx-cb-{target}-{seed}", (tmp_path / "m.onnx").read_bytes(), x, rng)


# ---- what is refused -------------------------------------------------------------------------------------------------

def refused(data, *words, compat="specification", code="UNSUPPORTED"):
    with pytest.raises(c_interface.ScoreError) as error:
        c_interface.Model.imported(data, onnx_compat=COMPAT[compat])
    assert error.value.code == code
    for word in words:
        assert word in error.value.text, error.value.text


def test_unsupported_operators_are_named():
    rng = seeds("refused")
    f = om.random_forest(rng, n_targets=2, votes="leaf")
    x, y = [("x", TensorProto.FLOAT, [None, 5])], [("y", TensorProto.FLOAT)]
    for aggregate in ("MIN", "MAX"):
        refused(om.single(om.regressor(f, 3, aggregate_function=aggregate), f, 3), aggregate, "trees", "TreeEnsembleRegressor")
    refused(om.graph([helper.make_node("Relu", ["x"], ["y"], name="layer")], x, y), "Relu", "layer", "columns")
    refused(om.graph([helper.make_node("Identity", ["x"], ["y"])], x, y), "no tree ensemble")
    svm = helper.make_node("SVMRegressor", ["x"], ["y"], domain="ai.onnx.ml", coefficients=[1.0])
    refused(om.graph([svm], x, y), "SVMRegressor", "support vector machine")
    second = om.regressor(f)
    second.output[0], second.name = "z", "again"
    refused(om.graph([om.regressor(f), second], x, y + [("z", TensorProto.FLOAT)]), "again", "trees")
    lonely = om.random_forest(rng, n_targets=1)
    lonely.n_targets = 2
    refused(om.single(om.regressor(lonely, base=[1.0, 2.0]), f), "target 1", compat="onnxruntime")
    refused(om.single(om.classifier(om.random_forest(rng, n_trees=1, n_targets=2, votes="leaf"), 1), f), "target 1",
            compat="onnxruntime")
    refused(om.single(om.classifier(f, base=[1.0, 2.0]), f), "base values", compat="onnxruntime")
    refused(om.graph([om.regressor(f, 3, aggregate_function="SUM"), helper.make_node("Tanh", ["y"], ["t"], name="squash")], x,
                     [("t", TensorProto.FLOAT)], version=3), "Tanh", "squash", "scores")


def test_two_weights_for_one_target():
    """The specification adds them; onnxruntime takes the first where there is one target."""
    rng = seeds("twice")
    f = om.random_forest(rng)
    for node in f.nodes:
        node.votes = node.votes * 2
    data = om.single(om.regressor(f), f)
    refused(data, "two weights", "leaf")
    rows = rows_for(rng, f.thresholds(), 5)
    got = c_interface.Model.imported(data, onnx_compat=1).score(c_interface.Rows(rows))
    assert (got == asking(data, np.float32)(rows)).all()


# ---- preprocessing and linear models ---------------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(2 * N))
@pytest.mark.parametrize("steps", ["Scaler", "Scaler, double", "Imputer", "Imputer of 0", "Binarizer", "Normalizer MAX", "Normalizer L1",
                                   "Normalizer L2", "LabelEncoder", "Mul, Add", "all"])
def test_preprocessing(steps, seed, tally):
    """Columns computed in the graph before trees."""
    rng = seeds("steps", steps, seed)
    dtype = np.float64 if "double" in steps else np.float32
    kinds = ["Imputer", "Scaler", "Mul, Add", "Normalizer L2"] if steps == "all" else [steps.removesuffix(", double")]
    f = om.random_forest(rng, modes=om.MODES[:4])
    ml, nodes, more, at = {"domain": "ai.onnx.ml"}, [], [], "x"
    numbers = rng.normal(size=(4, 5)).astype(np.float32)
    for i, kind in enumerate(kinds):
        name, _, norm = kind.partition(" ")
        to = f"t{i}"
        if name == "Scaler":
            nodes.append(helper.make_node(name, [at], [to], offset=numbers[0][:[1, 5][seed % 2]],
                                          scale=numbers[1][:[1, 5][seed % 2]], **ml))
        elif name == "Imputer":
            nodes.append(helper.make_node(name, [at], [to], imputed_value_floats=numbers[2][:[5, 1][seed % 2]],
                                          replaced_value_float=0.0 if norm else float("nan"), **ml))
        elif name == "Binarizer":
            nodes.append(helper.make_node("Imputer", [at], ["known"], imputed_value_floats=[0.0],
                                          replaced_value_float=float("nan"), **ml))  # onnxruntime refuses NaN there
            nodes.append(helper.make_node(name, ["known"], [to], threshold=float(numbers[0][0]), **ml))
        elif name == "Normalizer":
            nodes.append(helper.make_node(name, [at], [to], norm=norm, **ml))
        elif name == "LabelEncoder":
            nodes.append(helper.make_node(name, [at], [to], keys_floats=[0.0, 1.0, 2.0, float("nan"), -1.0],
                                          values_floats=numbers[3], default_float=0.25, **ml))
        else:
            nodes += [helper.make_node("Mul", [at, "m"], ["p"]), helper.make_node("Add", ["p", "a"], [to])]
            more = [constant("m", numbers[0], np.float32), constant("a", numbers[1][:1], np.float32)]
        at = to
    node = om.regressor(f)
    node.input[0] = at
    data = om.graph([*nodes, node], [("x", om.ELEMENT[dtype], [None, 5])], [("y", TensorProto.FLOAT)], more, version=2)
    rows = rows_for(rng, {}, 5, integral=[0, 1])
    check(tally, "preprocessing " + steps, f"onnx-{steps}-{seed}", data, rows, dtype)


def close_to_onnxruntime(data, x, got=None, rtol=2e-5):
    """Sums of linear models are in the order of onnxruntime's matrix library: equal to rounding."""
    s = om.session(data)
    expected = om.scores(s, x)
    model = c_interface.Model.imported(data)
    found = model.score(c_interface.Rows(x), output=c_interface.PREDICTION)
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=rtol, atol=rtol * max(1.0, float(np.abs(expected).max())))
    return model, s


@pytest.mark.parametrize("seed", range(2 * N))
@pytest.mark.parametrize("name", ["LinearRegression", "Ridge, several", "LogisticRegression", "LogisticRegression, 3", "LinearSVC",
                                  "LinearSVC, 3", "SGDClassifier", "PoissonRegressor", "double", "pipeline"])
def test_linear_models(name, seed):
    import sklearn.linear_model as linear
    import sklearn.pipeline
    import sklearn.preprocessing
    import sklearn.svm
    rng = seeds("linear", name, seed)
    x, y = training(rng, "multi" if "several" in name else 3 if name.endswith("3") or "SGD" in name else
                    2 if name in ("LogisticRegression", "LinearSVC", "pipeline") else "reg")
    kind = name.partition(",")[0]
    if kind == "double":
        estimator, x = linear.LinearRegression(), x.astype(np.float64)
    elif kind == "pipeline":
        estimator = sklearn.pipeline.make_pipeline(sklearn.preprocessing.StandardScaler(), sklearn.preprocessing.Normalizer(),
                                                   linear.LogisticRegression())
    else:
        estimator = getattr(sklearn.svm if "SVC" in kind else linear, kind)()
    classifier = hasattr(estimator, "classes_") or isinstance(y[0], np.int64)
    estimator.fit(x, np.abs(y) if kind == "PoissonRegressor" else y)
    options = {"options": {"zipmap": bool(seed % 2)}} if hasattr(estimator, "predict_proba") else {}
    data = to_onnx(estimator, x[:1], **options).SerializeToString()
    model, s = close_to_onnxruntime(data, x)
    if classifier and "LinearSVC" != name:
        found = model.score(c_interface.Rows(x), output=c_interface.CLASS).ravel()
        assert (found == om.answers(s, x)[0].ravel()).mean() > 0.995


@pytest.mark.parametrize("transform", TRANSFORMS[:3])
@pytest.mark.parametrize("n_rows, n_labels", [(1, 2), (2, 2), (4, 4)])
@pytest.mark.parametrize("compat", COMPAT)
def test_linear_classifier(compat, n_rows, n_labels, transform):
    rng = seeds("linear classifier", n_rows, transform)
    x = rng.standard_normal((300, 5)).astype(np.float32)
    node = helper.make_node("LinearClassifier", ["x"], ["label", "y"], domain="ai.onnx.ml", post_transform=transform,
                            coefficients=rng.normal(size=5 * n_rows), intercepts=rng.normal(size=n_rows),
                            classlabels_ints=list(range(n_labels)))
    data = om.graph([node], [("x", TensorProto.FLOAT, [None, 5])], [("label", TensorProto.INT64), ("y", TensorProto.FLOAT)])
    label, expected = om.answers(om.session(data), x)
    model = c_interface.Model.imported(data, onnx_compat=COMPAT[compat])
    got = model.score(c_interface.Rows(x), output=c_interface.PREDICTION)
    if (compat, n_rows, transform) == ("specification", 1, "SOFTMAX"):
        s = model.score(c_interface.Rows(x)).ravel()
        expected = np.column_stack([1 / (1 + np.exp(2 * s)), 1 / (1 + np.exp(-2 * s))])
    assert np.allclose(got, expected, rtol=2e-5, atol=2e-5)
    assert (model.score(c_interface.Rows(x), output=c_interface.CLASS).ravel() == label).mean() > 0.99
