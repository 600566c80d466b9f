"""Tree ensembles that scikit-learn trained, against scikit-learn itself. Every model comes from its seed alone.

scikit-learn's own answers come from a copy that uses one thread: with more it adds trees in the order in which threads
finish.
"""
import copy
import json
import os
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before scikit-learn: several test processes share the machine

import numpy as np
import pytest
from sklearn import calibration, ensemble, tree

import bit_check
import c_interface
import probe_rows
import read_slm
import scoreline
from conftest import MODE

N_SEEDS = {"quick": 1, "default": 4, "long": 16}[MODE]
# NumPy's exp() and power() are vectors of its own, one place off from the C library's in some of 20 values; a softmax adds
# up several of them, in pairs from eight classes on, and divides.
EXP_ULP, SOFTMAX_ULP, POWER_ULP = 1, 8, 1


def seeds(*parts):
    return np.random.default_rng([sum(map(ord, str(p))) for p in parts])


# ---- making models -------------------------------------------------------------------------------------------------

def training_rows(rng, n=260, n_features=6, nan_rate=0.0):
    columns = []
    for _ in range(n_features):
        column = [rng.standard_normal(n), np.round(rng.standard_normal(n), 1), rng.exponential(1, n),
                  np.where(rng.random(n) < 0.4, 0.0, rng.standard_normal(n)), rng.integers(0, 5, n),
                  rng.choice([-1e-40, 0.0, -0.0, 1e-38, 1.0], n), 1e30 * rng.standard_normal(n)][rng.integers(0, 7)]
        column = np.array(column, np.float64)
        column[rng.random(n) < nan_rate] = np.nan
        columns.append(column)
    return np.column_stack(columns)


def targets(rng, x, kind):
    """`kind`: "number", "positive", a number of classes, or a list of kinds."""
    if isinstance(kind, list):
        return np.column_stack([targets(rng, x, one) for one in kind])
    known = np.nan_to_num(x, nan=0.7)
    known = known / np.maximum(np.abs(known).max(axis=0), 1e-30)
    y = known @ rng.standard_normal(x.shape[1]) + np.sin(9 * known) @ rng.standard_normal(x.shape[1])
    if kind == "number":
        return y * 10.0 ** rng.integers(-3, 4)
    if kind == "positive":
        return np.abs(y) + 0.25
    return np.argsort(np.argsort(y)) * kind // len(y)


def labels(rng, classes):
    """Class numbers as labels of some type."""
    n = int(classes.max()) + 1
    names = [np.arange(n), np.arange(n) * 10 - 5, np.array([f"class {chr(97 + i)}" for i in range(n)]),
             np.arange(n) * 2.0][rng.integers(0, 4)]
    return (classes > 0 if n == 2 and rng.random() < 0.3 else names[classes])


def shape_of_trees(rng):
    return {"max_depth": [None, 1, 3, 6][rng.integers(0, 4)], "min_samples_leaf": int(rng.choice([1, 1, 5])),
            "max_features": [None, "sqrt", 0.5][rng.integers(0, 3)], "random_state": int(rng.integers(1 << 30)),
            "ccp_alpha": float(rng.choice([0.0, 0.0, 1e-3]))}


# ---- asking scikit-learn -------------------------------------------------------------------------------------------

def quiet(function, *arguments, **more):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(*arguments, **more)


def with_parts(estimator, begin, end):
    """The estimator with some of its trees."""
    part = copy.copy(estimator)
    for name in ("estimators_", "estimators_features_", "_predictors", "_decision_path_lengths",
                 "_average_path_length_per_tree"):
        if hasattr(part, name):
            setattr(part, name, getattr(part, name)[begin:end])
    part.n_estimators = end - begin
    return part


def joined(answer):
    return np.concatenate(answer, axis=1) if isinstance(answer, list) else answer


def thresholds_of(model):
    return {f: model.cuts[model.first_cut[f]:model.first_cut[f + 1]] for f in range(len(model.features))
            if model.first_cut[f] < model.first_cut[f + 1]}


def class_numbers(model, estimator):
    order = json.loads(model.metadata["class_labels"])
    return lambda x: [order.index(label) for label in quiet(estimator.predict, x).tolist()]


def check(tally, kind, name, estimator, seen, rng, *, margin, prediction=None, leaf=None, ranges=True, n=700,
          nan_rate=0.0, endless=False, ulp=0, categories=frozenset()):
    """`margin` and the others take an estimator and rows."""
    estimator.n_jobs = 1 if hasattr(estimator, "n_jobs") else None
    model = quiet(scoreline.convert, estimator)
    data = model.to_bytes()
    second = read_slm.Model(data)
    rows = probe_rows.probe(rng, seen, thresholds_of(second), n, categories=categories, nan_rate=nan_rate,
                            endless=endless)

    def ask(function, one=estimator):
        return None if function is None else lambda x: quiet(function, one, x)

    few = rows[:3]
    read = np.array([second.margins(row) for row in few])
    assert not len(bit_check.differing(read, bit_check.as_doubles(quiet(margin, estimator, few)))), "the second reader"
    oracle = bit_check.Oracle(
        margin=ask(margin), prediction=ask(prediction or margin), leaf=ask(leaf), prediction_ulp=ulp,
        classes=class_numbers(model, estimator) if "class_labels" in model.metadata else None,
        margin_of_range=(lambda x, begin, end: quiet(margin, with_parts(estimator, begin, end), x)) if ranges else None)
    return bit_check.Checker(name, data, oracle, rows, tally("scikit-learn", kind)).run()


# ---- trees and forests ---------------------------------------------------------------------------------------------

REGRESSION = ["squared_error", "friedman_mse", "absolute_error", "poisson"]
CLASSIFICATION = ["gini", "entropy", "log_loss"]


def forest(rng, kind, multi, nan_rate):
    """An estimator of sklearn.tree or sklearn.ensemble, fitted."""
    is_classifier = kind.__name__.endswith("Classifier")
    parameters = shape_of_trees(rng)
    if kind.__module__.endswith("_forest"):
        parameters["n_estimators"] = int(rng.integers(1, 12))
        parameters["bootstrap"] = bool(rng.random() < 0.5)
    x = training_rows(rng, nan_rate=nan_rate)
    if is_classifier:
        parameters["criterion"] = CLASSIFICATION[rng.integers(0, 3)]
        parameters["class_weight"] = [None, "balanced"][rng.integers(0, 2)]
        counts = [2, 3, 10][rng.integers(0, 3)]
        y = targets(rng, x, [2, 3, 5] if multi else counts)
        y = y if multi else labels(rng, y)
    else:
        parameters["criterion"] = criterion = REGRESSION[rng.integers(0, 2 if nan_rate else 4)]
        one = "positive" if criterion == "poisson" else "number"
        y = targets(rng, x, [one] * 3 if multi else one)
    weights = rng.random(len(x)) if rng.random() < 0.3 else None
    return quiet(kind(**parameters).fit, x, y, sample_weight=weights), x


def forest_answer(estimator, x):
    return joined(estimator.predict_proba(x) if hasattr(estimator, "classes_") else estimator.predict(x))


TREES = [tree.DecisionTreeRegressor, tree.DecisionTreeClassifier, tree.ExtraTreeRegressor, tree.ExtraTreeClassifier]
FORESTS = [ensemble.RandomForestRegressor, ensemble.RandomForestClassifier, ensemble.ExtraTreesRegressor,
           ensemble.ExtraTreesClassifier]


@pytest.mark.parametrize("seed", range(2 * N_SEEDS))
@pytest.mark.parametrize("kind", TREES + FORESTS)
def test_forests(kind, seed, tally):
    rng = seeds(kind.__name__, seed)
    nan_rate = [0.0, 0.1][seed % 2]
    estimator, x = forest(rng, kind, False, nan_rate)
    # Trained without missing values, a tree sends them to its larger child.
    check(tally, "tree" if kind in TREES else "forest", f"sk-{kind.__name__}-{seed}", estimator, x, rng,
          margin=forest_answer, leaf=lambda e, x: e.apply(x), ranges=kind in FORESTS,
          nan_rate=0.2 if estimator.__sklearn_tags__().input_tags.allow_nan else 0.0)


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("kind", TREES + FORESTS)
def test_several_targets(kind, seed, tally):
    rng = seeds("several", kind.__name__, seed)
    estimator, x = forest(rng, kind, True, [0.0, 0.1][seed % 2])
    check(tally, "several targets", f"sk-several-{kind.__name__}-{seed}", estimator, x, rng, margin=forest_answer,
          leaf=lambda e, x: e.apply(x), ranges=kind in FORESTS)


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("kind", [ensemble.RandomForestRegressor, ensemble.RandomForestClassifier])
def test_large_trees(kind, seed, tally):
    """More than 256 leaves, more than 255 thresholds of a feature."""
    rng = seeds("large", kind.__name__, seed)
    x = rng.standard_normal((1500, 4))
    y = targets(rng, x, "number" if kind is ensemble.RandomForestRegressor else 4)
    y = y + (rng.random(len(y)) < 0.3) if kind is ensemble.RandomForestRegressor else rng.permutation(y)
    estimator = kind(n_estimators=4, random_state=seed).fit(x, y)
    model = check(tally, "large trees", f"sk-large-{kind.__name__}-{seed}", estimator, x, rng, margin=forest_answer,
                  leaf=lambda e, x: e.apply(x))
    assert model.info.max_leaves > 256 and model.info.max_cuts > 255


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_constrained_trees(seed, tally):
    rng = seeds("constrained", seed)
    x = training_rows(rng)
    parameters = {"monotonic_cst": rng.integers(-1, 2, 6), "max_leaf_nodes": int(rng.integers(2, 40)), "random_state": 1}
    kind, target = [(tree.DecisionTreeRegressor, "number"), (tree.ExtraTreeClassifier, 2),
                    (ensemble.RandomForestClassifier, 2), (ensemble.ExtraTreesRegressor, "number")][seed % 4]
    estimator = kind(**parameters).fit(x, targets(rng, x, target))
    check(tally, "constrained", f"sk-constrained-{seed}", estimator, x, rng, margin=forest_answer, ranges=False)


# ---- boosting ------------------------------------------------------------------------------------------------------

def raw(estimator, x):
    return estimator._raw_predict(x.astype(np.float32))


def probabilities(estimator, x):
    return estimator.predict_proba(x)


def boosted_leaves(estimator, x):
    return estimator.apply(x).reshape(len(x), -1)


@pytest.mark.parametrize("seed", range(2 * N_SEEDS))
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_gradient_boosting_regressor(loss, seed, tally):
    rng = seeds("gbr", loss, seed)
    x = training_rows(rng)
    estimator = ensemble.GradientBoostingRegressor(
        loss=loss, alpha=float(rng.uniform(0.1, 0.9)), n_estimators=int(rng.integers(1, 25)), random_state=seed,
        learning_rate=float(rng.choice([0.1, 0.3, 1.0])), max_depth=int(rng.integers(1, 6)),
        subsample=float(rng.choice([1.0, 0.6])), init=[None, "zero"][rng.integers(0, 2)])
    quiet(estimator.fit, x, targets(rng, x, "number"))
    check(tally, "gradient boosting", f"sk-gbr-{loss}-{seed}", estimator, x, rng, margin=raw, leaf=boosted_leaves)


@pytest.mark.parametrize("seed", range(3 * N_SEEDS))
@pytest.mark.parametrize("kind", ["binary", "exponential", "multiclass"])
def test_gradient_boosting_classifier(kind, seed, tally):
    rng = seeds("gbc", kind, seed)
    x = training_rows(rng)
    n_classes = [3, 10][seed % 2] if kind == "multiclass" else 2
    estimator = ensemble.GradientBoostingClassifier(
        loss="exponential" if kind == "exponential" else "log_loss", n_estimators=int(rng.integers(1, 12)),
        learning_rate=float(rng.choice([0.1, 1.0])), max_depth=int(rng.integers(1, 6)), random_state=seed,
        init=[None, "zero"][rng.integers(0, 2)])
    quiet(estimator.fit, x, labels(rng, targets(rng, x, n_classes)))
    check(tally, "gradient boosting", f"sk-gbc-{kind}-{seed}", estimator, x, rng, margin=raw, prediction=probabilities,
          leaf=boosted_leaves, ulp=SOFTMAX_ULP if kind == "multiclass" else 0)


# ---- histogram gradient boosting -----------------------------------------------------------------------------------

def hist_raw(estimator, x):
    return estimator._raw_predict(x.astype(np.float64))


def hist_parameters(rng, seed):
    return {"max_iter": int(rng.integers(1, 15)), "learning_rate": float(rng.choice([0.1, 0.5])), "random_state": seed,
            "max_leaf_nodes": [31, 5, 200][rng.integers(0, 3)], "min_samples_leaf": int(rng.choice([1, 20])),
            "max_bins": int(rng.choice([255, 16])), "early_stopping": False}


@pytest.mark.parametrize("seed", range(2 * N_SEEDS))
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "quantile", "poisson", "gamma"])
def test_histogram_regressor(loss, seed, tally):
    rng = seeds("histr", loss, seed)
    x = training_rows(rng, nan_rate=[0.0, 0.2][seed % 2])
    if seed % 3 == 0:
        x[rng.random(x.shape) < 0.02] = np.inf
    estimator = ensemble.HistGradientBoostingRegressor(
        loss=loss, quantile=0.3 if loss == "quantile" else None, **hist_parameters(rng, seed))
    quiet(estimator.fit, x, targets(rng, x, "positive"))
    check(tally, "histogram boosting", f"sk-histr-{loss}-{seed}", estimator, x, rng, margin=hist_raw, nan_rate=0.2,
          prediction=lambda e, x: e.predict(x), endless=True, ulp=EXP_ULP if loss in ("poisson", "gamma") else 0)


@pytest.mark.parametrize("seed", range(3 * N_SEEDS))
@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_histogram_classifier(n_classes, seed, tally):
    rng = seeds("histc", n_classes, seed)
    x = training_rows(rng, nan_rate=[0.0, 0.2][seed % 2])
    estimator = ensemble.HistGradientBoostingClassifier(**hist_parameters(rng, seed))
    quiet(estimator.fit, x, labels(rng, targets(rng, x, n_classes)))
    check(tally, "histogram boosting", f"sk-histc-{n_classes}-{seed}", estimator, x, rng, margin=hist_raw,
          prediction=probabilities, nan_rate=0.2, endless=True, ulp=SOFTMAX_ULP if n_classes > 2 else 0)


# ---- isolation, bagging, votes -------------------------------------------------------------------------------------

def depths(estimator, x):
    total = np.zeros(len(x))
    for t, (one, features) in enumerate(zip(estimator.estimators_, estimator.estimators_features_)):
        leaf = one.tree_.apply(np.ascontiguousarray(x[:, features], np.float32))
        total += estimator._decision_path_lengths[t][leaf] + estimator._average_path_length_per_tree[t][leaf] - 1.0
    return total


@pytest.mark.parametrize("seed", range(6 * N_SEEDS))
def test_isolation_forest(seed, tally):
    rng = seeds("isolation", seed)
    x = training_rows(rng, nan_rate=[0.0, 0.1][seed % 2])
    estimator = ensemble.IsolationForest(
        n_estimators=int(rng.integers(1, 30)), max_samples=["auto", 64, 0.3, 2][rng.integers(0, 4)],
        max_features=[1.0, 0.5, 2][rng.integers(0, 3)], contamination=["auto", 0.1][rng.integers(0, 2)],
        bootstrap=bool(rng.random() < 0.3), random_state=seed)
    quiet(estimator.fit, x)
    check(tally, "isolation forest", f"sk-isolation-{seed}", estimator, x, rng, margin=depths, nan_rate=0.1,
          prediction=lambda e, x: e.score_samples(x), endless=True, ulp=POWER_ULP,
          leaf=lambda e, x: np.column_stack([one.tree_.apply(np.ascontiguousarray(x[:, f], np.float32))
                                             for one, f in zip(e.estimators_, e.estimators_features_)]))


@pytest.mark.parametrize("seed", range(3 * N_SEEDS))
@pytest.mark.parametrize("kind", ["regressor", "classifier", "several"])
def test_bagging(kind, seed, tally):
    rng = seeds("bagging", kind, seed)
    x = training_rows(rng, nan_rate=[0.0, 0.1][seed % 2])
    parameters = {"n_estimators": int(rng.integers(1, 10)), "max_features": float(rng.choice([1.0, 0.5])),
                  "max_samples": float(rng.choice([1.0, 0.03])), "bootstrap_features": bool(rng.random() < 0.3),
                  "random_state": seed}
    if kind == "classifier":
        base = [tree.DecisionTreeClassifier, tree.ExtraTreeClassifier][rng.integers(0, 2)](**shape_of_trees(rng))
        estimator = ensemble.BaggingClassifier(base, **parameters)
        y = labels(rng, targets(rng, x, int(rng.choice([2, 3, 9]))))
    else:
        base = [tree.DecisionTreeRegressor, tree.ExtraTreeRegressor][rng.integers(0, 2)](**shape_of_trees(rng))
        estimator = ensemble.BaggingRegressor(base, **parameters)
        y = targets(rng, x, ["number"] * 2 if kind == "several" else "number")
    quiet(estimator.fit, x, y)
    check(tally, "bagging", f"sk-bagging-{kind}-{seed}", estimator, x, rng, margin=forest_answer, nan_rate=0.1)


@pytest.mark.parametrize("seed", range(2 * N_SEEDS))
@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_voting(kind, seed, tally):
    rng = seeds("voting", kind, seed)
    x = training_rows(rng, nan_rate=[0.0, 0.1][seed % 2])
    n = int(rng.integers(1, 7))  # from eight on NumPy adds one row's answers in another order than those of many rows
    weights = [None, rng.uniform(0.1, 3, n).tolist()][rng.integers(0, 2)]
    if kind == "classifier":
        parts = [[tree.DecisionTreeClassifier, tree.ExtraTreeClassifier][i % 2](**shape_of_trees(rng)) for i in range(n)]
        estimator = ensemble.VotingClassifier([(str(i), one) for i, one in enumerate(parts)], voting="soft", weights=weights)
        y = labels(rng, targets(rng, x, int(rng.choice([2, 3, 9]))))
    else:
        parts = [[tree.DecisionTreeRegressor, tree.ExtraTreeRegressor][i % 2](**shape_of_trees(rng)) for i in range(n)]
        estimator = ensemble.VotingRegressor([(str(i), one) for i, one in enumerate(parts)], weights=weights)
        y = targets(rng, x, "number")
    quiet(estimator.fit, x, y)
    check(tally, "voting", f"sk-voting-{kind}-{seed}", estimator, x, rng, margin=forest_answer, nan_rate=0.1, ranges=False)


@pytest.mark.parametrize("seed", range(4 * N_SEEDS))
@pytest.mark.parametrize("n_classes", [2, 4])
def test_adaboost(n_classes, seed, tally):
    rng = seeds("adaboost", n_classes, seed)
    x = training_rows(rng)
    base = tree.DecisionTreeClassifier(max_depth=int(rng.integers(1, 4)), random_state=seed)
    estimator = ensemble.AdaBoostClassifier(base, n_estimators=int(rng.integers(2, 25)), random_state=seed,
                                            learning_rate=float(rng.choice([1.0, 0.3])))
    quiet(estimator.fit, x, labels(rng, targets(rng, x, n_classes)))
    check(tally, "AdaBoost", f"sk-adaboost-{n_classes}-{seed}", estimator, x, rng, ranges=False,
          margin=lambda e, x: e.decision_function(x), prediction=probabilities, ulp=SOFTMAX_ULP)


# ---- categories ----------------------------------------------------------------------------------------------------

KINDS_OF_CATEGORIES = [np.arange(3.0), np.arange(200.0), np.array([-3.0, 0.5, 1e6, 7.0]), np.array([0.0]),
                       np.array([1e-40, 0.1, 5e15, -0.0, 300.0, 301.0])]


@pytest.mark.parametrize("seed", range(6 * N_SEEDS))
def test_histogram_categories(seed, tally):
    """Categories are looked up by their value among those of the training data; all else is missing."""
    rng = seeds("categories", seed)
    x = training_rows(rng, n=500, n_features=7)
    columns = np.sort(rng.choice(7, int(rng.integers(1, 5)), replace=False))
    for j in columns:
        x[:, j] = rng.choice(KINDS_OF_CATEGORIES[rng.integers(0, 5)], len(x))
    x[rng.random(x.shape) < [0.0, 0.1][seed % 2]] = np.nan
    kind, target, ulp = [(ensemble.HistGradientBoostingRegressor, "number", 0),
                         (ensemble.HistGradientBoostingClassifier, 2, 0),
                         (ensemble.HistGradientBoostingClassifier, 4, SOFTMAX_ULP)][seed % 3]
    estimator = kind(categorical_features=columns.tolist(), **{**hist_parameters(rng, seed), "max_bins": 255})
    quiet(estimator.fit, x, targets(rng, x, target))
    # A column of categories must be finite.
    check(tally, "categories", f"sk-categories-{seed}", estimator, x, rng, margin=hist_raw, nan_rate=0.1, ulp=ulp,
          prediction=probabilities if target != "number" else lambda e, x: e.predict(x), categories=set(columns.tolist()))


# ---- parts: models that combine the answers of others ----------------------------------------------------------------

def part_classifier(rng, exact):
    seed = int(rng.integers(1 << 30))
    kinds = [lambda: ensemble.RandomForestClassifier(int(rng.integers(1, 6)), **shape_of_trees(rng)),
             lambda: ensemble.ExtraTreesClassifier(int(rng.integers(1, 6)), **shape_of_trees(rng)),
             lambda: tree.DecisionTreeClassifier(**shape_of_trees(rng)),
             lambda: ensemble.BaggingClassifier(tree.DecisionTreeClassifier(max_depth=3), int(rng.integers(1, 5)),
                                                max_features=0.6, random_state=seed),
             lambda: ensemble.GradientBoostingClassifier(n_estimators=int(rng.integers(1, 5)), random_state=seed),
             lambda: ensemble.HistGradientBoostingClassifier(max_iter=int(rng.integers(1, 5)), min_samples_leaf=3),
             lambda: ensemble.AdaBoostClassifier(n_estimators=int(rng.integers(2, 5)), random_state=seed)]
    return kinds[rng.integers(0, len(kinds) - (1 if exact else 0))]()


def part_regressor(rng):
    seed = int(rng.integers(1 << 30))
    kinds = [lambda: ensemble.RandomForestRegressor(int(rng.integers(1, 6)), **shape_of_trees(rng)),
             lambda: tree.ExtraTreeRegressor(**shape_of_trees(rng)),
             lambda: ensemble.BaggingRegressor(tree.DecisionTreeRegressor(max_depth=4), 3, max_features=0.6, random_state=seed),
             lambda: ensemble.GradientBoostingRegressor(n_estimators=int(rng.integers(1, 6)), random_state=seed),
             lambda: ensemble.HistGradientBoostingRegressor(max_iter=int(rng.integers(1, 6)), min_samples_leaf=3)]
    return kinds[rng.integers(0, len(kinds))]()


def check_parts(tally, kind, name, estimator, seen, rng, prediction, ulp=0, n=500):
    """Predictions and classes; margins are those of parts, which scikit-learn does not show."""
    model = quiet(scoreline.convert, estimator)
    assert model.info.link == "parts"
    data = model.to_bytes()
    rows = probe_rows.probe(rng, seen, thresholds_of(read_slm.Model(data)), n, nan_rate=0.0, endless=False)
    wanted = bit_check.as_doubles(quiet(prediction, rows))
    count = tally("scikit-learn", kind)
    table, columns = c_interface.Rows(rows), c_interface.Columns(rows)
    for isa in c_interface.available_isas():
        one = c_interface.Model.opened(data, isa)
        one.verify(isa)
        for layout, given, how in (("rows f64", table, {}), ("columns f64", columns, {}), ("rows f64", table, {"scratch": False}),
                                   ("rows f64", table, {"batch": 1, "n": 40})):
            got = one.score(given, output=c_interface.PREDICTION, **how)
            want = wanted[:len(got)]
            close = np.abs(got - want) <= ulp * np.spacing(np.abs(want)) if ulp else got == want
            assert (close | (np.isnan(got) & np.isnan(want))).all(), f"{name}: {c_interface.ISA_NAMES[isa]}, {layout}"
            count.add(layout, len(got), "prediction")
        if "class_labels" in model.metadata:
            numbers = one.score(table, output=c_interface.CLASS)[:, 0]
            assert (numbers == class_numbers(model, estimator)(rows)).all(), f"{name}: classes"
            count.add("rows f64", len(numbers), "class")


@pytest.mark.parametrize("seed", range(5 * N_SEEDS))
@pytest.mark.parametrize("kind", ["regressor", "soft", "hard"])
def test_voting_over_ensembles(kind, seed, tally):
    rng = seeds("vote", kind, seed)
    x, n = training_rows(rng), int(rng.integers(2, 6))
    weights = [None, rng.uniform(0.1, 3, n).tolist()][rng.integers(0, 2)]
    if kind == "regressor":
        parts = [part_regressor(rng) for _ in range(n - 1)] + [ensemble.RandomForestRegressor(3, random_state=seed)]
        estimator = ensemble.VotingRegressor([(str(i), one) for i, one in enumerate(parts)], weights=weights)
        quiet(estimator.fit, x, targets(rng, x, "number"))
        check_parts(tally, "voting over ensembles", f"sk-vote-{kind}-{seed}", estimator, x, rng, estimator.predict)
        return
    n_classes = int(rng.choice([2, 3, 5]))
    parts = [part_classifier(rng, False) for _ in range(n - 1)] + [ensemble.RandomForestClassifier(3, random_state=seed)]
    estimator = ensemble.VotingClassifier([(str(i), one) for i, one in enumerate(parts)], voting=kind, weights=weights)
    quiet(estimator.fit, x, labels(rng, targets(rng, x, n_classes)))

    def votes(rows):
        said = np.column_stack([one.predict(rows) for one in estimator.estimators_])
        return np.array([np.bincount(row, weights=weights, minlength=n_classes) for row in said])

    check_parts(tally, "hard votes" if kind == "hard" else "voting over ensembles", f"sk-vote-{kind}-{seed}", estimator, x, rng,
                votes if kind == "hard" else estimator.predict_proba, ulp=0 if kind == "hard" else SOFTMAX_ULP)


@pytest.mark.parametrize("seed", range(5 * N_SEEDS))
@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_bagging_over_ensembles(kind, seed, tally):
    rng = seeds("bag", kind, seed)
    x = training_rows(rng)
    how = {"n_estimators": int(rng.integers(1, 6)), "max_features": float(rng.choice([1.0, 0.5])), "random_state": seed}
    if kind == "regressor":
        estimator = ensemble.BaggingRegressor([ensemble.RandomForestRegressor(3, **shape_of_trees(rng)),
                                               ensemble.GradientBoostingRegressor(n_estimators=4)][seed % 2], **how)
        quiet(estimator.fit, x, targets(rng, x, "number"))
        answer = estimator.predict
    else:
        estimator = ensemble.BaggingClassifier([ensemble.ExtraTreesClassifier(3, **shape_of_trees(rng)),
                                                ensemble.GradientBoostingClassifier(n_estimators=3)][seed % 2], **how)
        quiet(estimator.fit, x, labels(rng, targets(rng, x, int(rng.choice([2, 3])))))
        answer = estimator.predict_proba
    check_parts(tally, "bagging over ensembles", f"sk-bag-{kind}-{seed}", estimator, x, rng, answer,
                ulp=SOFTMAX_ULP if kind == "classifier" else 0)


@pytest.mark.parametrize("seed", range(10 * N_SEEDS))
def test_adaboost_regressor(seed, tally):
    rng = seeds("adaboost regressor", seed)
    x = training_rows(rng)
    base = [tree.DecisionTreeRegressor(max_depth=int(rng.integers(1, 5))), ensemble.RandomForestRegressor(2, max_depth=3)][seed % 5 == 0]
    estimator = ensemble.AdaBoostRegressor(base, n_estimators=int(rng.integers(1, 40)), random_state=seed,
                                           loss=str(rng.choice(["linear", "square", "exponential"])))
    quiet(estimator.fit, x, targets(rng, x, "number"))
    check_parts(tally, "AdaBoost", f"sk-adaboost-regressor-{seed}", estimator, x, rng, estimator.predict)


@pytest.mark.parametrize("seed", range(10 * N_SEEDS))
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated_ensembles(method, seed, tally):
    rng = seeds("calibrated", method, seed)
    x = training_rows(rng)
    estimator = calibration.CalibratedClassifierCV(part_classifier(rng, True), method=method, ensemble=bool(rng.integers(2)),
                                                   cv=int(rng.integers(2, 4)))
    quiet(estimator.fit, x, labels(rng, targets(rng, x, int(rng.choice([2, 3, 5])))))
    check_parts(tally, f"calibration, {method}", f"sk-calibrated-{method}-{seed}", estimator, x, rng, estimator.predict_proba)
