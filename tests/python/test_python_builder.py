"""Builder: models from arrays."""

import numpy as np
import pytest

import scoreline
from conftest import same_bits


def stump(builder, threshold=0.5, left=-1.0, right=2.0, **more):
    return builder.add_tree([1, -1, -1], [2, -1, -1], [0, 0, 0], [threshold, left, right], **more)


def test_tree():
    model = stump(scoreline.Builder(2, feature_names=["x", "y"], base=10.0, metadata={"name": "one"})).finish()
    assert model.features == ["x", "y"] and model.metadata["name"] == "one"
    X = np.array([[0.5, 0], [0.6, 0], [np.nan, 0]])
    same_bits(model.predict(X), [9.0, 12.0, 12.0])
    assert model.predict(X, "leaf").tolist() == [[1], [2], [2]]


def test_options_of_a_tree():
    model = stump(scoreline.Builder(1), test="lt", missing_left=True, leaf_ids=[0, 40, 50]).finish()
    X = np.array([[0.5], [0.4], [np.nan]])
    same_bits(model.predict(X), [2.0, -1.0, -1.0])
    assert model.predict(X, "leaf").tolist() == [[50], [40], [40]]
    zero = stump(scoreline.Builder(1), threshold=-1.0, zero_is_missing=True, missing_left=True).finish()
    same_bits(zero.predict([[0.0], [0.1], [np.nan]]), [-1.0, 2.0, -1.0])


def test_a_test_per_node():
    """`<=` and `<` in one tree; what stands at a leaf does not matter."""
    builder, tests = scoreline.Builder(1), ["le", "lt", "lt", "le", "le"]
    builder.add_tree([1, -1, 3, -1, -1], [2, -1, 4, -1, -1], [0] * 5, [0.5, 1, 2.0, 2, 3], test=tests)
    same_bits(builder.finish().predict([[0.5], [0.6], [2.0]]), [1.0, 2.0, 3.0])


@pytest.mark.parametrize("test, inside", [("in_left", -1.0), ("in_right", 2.0)])
def test_categories(test, inside):
    builder = scoreline.Builder(1, feature_types=["category"])
    model = stump(builder, test=test, categories={0: [1, 4, 40]}).finish()
    assert model.feature_types == ["category"]
    outside = 1.0 - inside
    same_bits(model.predict([[1], [4], [40], [0], [41], [-3]]), [inside] * 3 + [outside] * 3)


def test_outputs_and_link():
    builder = scoreline.Builder(1, 2, base=[0.5, -0.5], link="softmax", trees_per_iteration=2)
    stump(builder, output=0)
    stump(builder, output=1, left=3.0)
    model = builder.finish()
    same_bits(model.predict([[0.0]], "margin"), [[-0.5, 2.5]])
    e = np.exp([-3.0, 0.0])
    np.testing.assert_allclose(model.predict([[0.0]]), [e / e.sum()], rtol=1e-15)


def test_vector_leaves():
    builder = scoreline.Builder(1, 2, trees_per_iteration=1)
    builder.add_tree([1, -1, -1], [2, -1, -1], [0, 0, 0], [0.5, 0, 0], vectors=[[0, 0], [1, 2], [3, 4]])
    same_bits(builder.finish().predict([[0.0], [1.0]]), [[1, 2], [3, 4]])


def test_linear():
    builder = scoreline.Builder(3, base=0.25, base_position="last")
    model = builder.set_linear([1.0, -2.0, 0.5], skip_missing=True).finish()
    same_bits(model.predict([[1, 1, 1], [1, np.nan, 2]]), [-0.25, 2.25])


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda: scoreline.Builder(1, link="cubic"), "link"),
        (lambda: scoreline.Builder(1, compare="f16"), "compare"),
        (lambda: scoreline.Builder(2, feature_names=["a"]), "2 feature_names"),
        (lambda: scoreline.Builder(2, feature_names=["a", "a"]).finish(), "a"),
        (lambda: scoreline.Builder(0), "feature"),
        (lambda: stump(scoreline.Builder(1), test="gt"), "test"),
        (lambda: stump(scoreline.Builder(1), test=["le", "gt", "le"]), "test"),
        (lambda: stump(scoreline.Builder(1), test=["le", "le"]), "expected 3 tests, found 2"),
        (lambda: scoreline.Builder(1).add_tree([1, -1], [0, -1], [0, 0], [0, 0]), "node 0 is reached twice"),
        (lambda: scoreline.Builder(1).add_tree([1, -1, -1], [2, -1], [0, 0, 0], [0, 0, 0]), "arrays of 3 nodes"),
        (lambda: scoreline.Builder(1).add_tree([1, -1, -1], [2, -1, -1], [7, 0, 0], [0, 0, 0]), "7"),
        (lambda: scoreline.Builder(2).set_linear([1.0]), "weights of shape"),
        (lambda: scoreline.Builder(2).finish(), "tree"),
    ],
)
def test_errors(wrong, message):
    with pytest.raises((scoreline.ScorelineError, ValueError), match=message):
        wrong()


def test_spent():
    builder = stump(scoreline.Builder(1))
    builder.finish()
    for again in (builder.finish, lambda: stump(builder)):
        with pytest.raises(ValueError, match="spent"):
            again()


def split_at_half(link="identity", *, leaves=(-1.5, 4.5), **contract):
    builder = scoreline.Builder(1, link=link, **contract)
    return builder.add_tree([1, -1, -1], [2, -1, -1], [0, 0, 0], [0.5, *leaves]).finish()


ROWS = np.array([[0.0], [1.0]])


def test_sum_divided_by_scale():
    model = split_at_half(base_position="last", average="scale", scale=0.7, base=3.0)
    for one in (model, scoreline.load(model.to_bytes())):
        same_bits(one.predict(ROWS), np.array([-1.5 / 0.7 + 3.0, 4.5 / 0.7 + 3.0]))
    with pytest.raises(scoreline.ArgumentError, match="SCORE_AVERAGE_SCALE need SCORE_BASE_LAST"):
        split_at_half(average="scale")


def test_sum_divided_by_scale_in_single_precision():
    model = split_at_half(base_position="last", average="scale", scale=0.75, base=3.0, sum="f32", compare="f32")
    wanted = np.array([-1.5, 4.5], np.float32) / np.float32(0.75) + np.float32(3.0)
    same_bits(model.predict(ROWS), wanted.astype(np.float64))


def test_isolation_link():
    model = split_at_half("isolation", link_parameter=3.0)
    same_bits(scoreline.load(model.to_bytes()).predict(ROWS), np.array([-(2.0**0.5), -(2.0**-1.5)]))


@pytest.mark.parametrize("link, n_outputs", [("exp_catboost", 1), ("softmax_catboost", 5), ("mean_variance_catboost", 2)])
def test_catboost_links(link, n_outputs):
    """Within an ulp or two of what they approximate; the conformance tests have CatBoost's own bits."""
    x = np.linspace(0.5, -1.5, n_outputs)
    model = scoreline.Builder(1, n_outputs, base=x, link=link).set_linear(np.zeros((1, n_outputs))).finish()
    e = np.exp(x)
    wanted = {"exp_catboost": e, "softmax_catboost": e / e.sum(), "mean_variance_catboost": [x[0], np.exp(2 * x[-1])]}[link]
    assert model.info.link == link
    np.testing.assert_allclose(model.predict([[0.0]]).ravel(), wanted, rtol=2e-15)
    same_bits(scoreline.load(model.to_bytes()).predict([[0.0]]), model.predict([[0.0]]))


@pytest.mark.parametrize("link, width", [("binary_pair", 2), ("softmax_pair", 2), ("softmax", 1)])
def test_slope(link, width):
    """A file with a slope says that a reader must know it; a slope that the first writers stored without effect is none."""
    steep, plain = split_at_half(link, link_parameter=4.0), split_at_half(link, leaves=(-6.0, 18.0))
    same_bits(scoreline.load(steep.to_bytes()).predict(ROWS), plain.predict(ROWS))
    assert b"\xa8requires\x91\xaalink_slope" in steep.to_bytes() and b"\xa8requires\x90" in plain.to_bytes()
    assert steep.info.n_predictions == width


def test_columns_of_parts():
    """Two values of a vote need two columns: the library must not look for the second behind the array."""
    def voting(columns, n_predictions=2):
        builder = scoreline.Builder(1)
        builder.add_tree([1, -1, -1], [2, -1, -1], [0, 0, 0], [0.5, -1.5, 4.5])
        return builder.add_part(0, 1, vote="above", columns=columns).combine("sum", n_predictions).finish()

    same_bits(voting([1, 0]).predict(ROWS), np.array([[0.0, 1.0], [1.0, 0.0]]))
    for columns in ([], [1]):
        with pytest.raises(scoreline.ScorelineError, match="adds to prediction 4294967295, the model has 2"):
            voting(columns)
    with pytest.raises(scoreline.ShapeError, match="expected at most 2 columns, found 3"):
        voting([0, 1, 0])


STUMP = {"left": [1, -1, -1], "right": [2, -2, -2], "feature": [0, -2, 9], "value": [0.5, 1.0, 2.0]}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"feature": [0.7, 0, 0]}, "expected feature as whole numbers from 0 to 4294967295, found 0.7"),
        ({"feature": [2**32, 0, 0]}, "found 4294967296"),
        ({"feature": [-1, 0, 0]}, "found -1"),
        ({"feature": ["a", "b", "c"]}, "expected feature as whole numbers, found an array of <U1"),
        ({"left": [2**32 + 1, -1, -1]}, "expected left as whole numbers from 0 to 2147483647, found 4294967297"),
        ({"left": [1.5, -1, -1]}, "found 1.5"),
        ({"right": [np.nan, 0, 0]}, "expected right .* found nan"),
        ({"leaf_ids": [-1, 0, 1]}, "expected leaf_ids .* found -1"),
        ({"output": 2**32}, "expected output from 0 to 4294967295, found 4294967296"),
        ({"test": "in_left", "categories": {0: [0.9]}}, "expected categories as whole numbers .* found 0.9"),
        ({"test": "in_left", "categories": {0: [2**32]}}, "expected categories"),
        ({"test": "in_left", "categories": {-1: [0]}}, "expected nodes of categories as whole numbers from 0 to 2, found -1"),
        ({"linear_leaves": {3: (1.0, {0: 1.0})}}, "expected nodes of linear_leaves .* from 0 to 2, found 3"),
        ({"linear_leaves": {1: (1.0, {-1: 1.0})}}, "expected features of linear_leaves .* found -1"),
    ],
)
def test_numbers_are_neither_cut_off_nor_wrapped(change, message):
    types = ["category"] if "categories" in change else None
    assert scoreline.Builder(1).add_tree(**STUMP).finish().predict([[0.0], [1.0]]).tolist() == [1.0, 2.0]
    assert scoreline.Builder(1).add_tree(**{**STUMP, "feature": [0.0, np.nan, -1.0]}).finish().info.n_trees == 1
    with pytest.raises(ValueError, match=message):
        scoreline.Builder(1, feature_types=types).add_tree(**{**STUMP, **change})


def test_counts_do_not_wrap():
    for make in (
        lambda n: scoreline.Builder(n),
        lambda n: scoreline.Builder(1, n),
        lambda n: scoreline.Builder(1).add_column(n),
        lambda n: scoreline.Builder(1).add_norm("l1", n, [0]),
        lambda n: scoreline.Builder(1).add_norm("l1", 0, [n]),
        lambda n: scoreline.Statistics(scoreline.Builder(1).set_linear([1.0]).finish(), sample_every=n),
        lambda n: scoreline.Builder(1).set_linear([1.0]).finish().add_reference([[1.0], [2.0]], n_bins=n),
    ):
        for n in (2**32 + 1, -1):
            with pytest.raises(ValueError, match=f"from 0 to 4294967295, found {n}"):
                make(n)


def test_weights_of_the_other_order():
    """scikit-learn's coef_ is [n_outputs, n_features]: as many numbers, and other weights."""
    coef = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    model = scoreline.Builder(3, 2).set_linear(coef.T).finish()
    assert model.predict([[1, 10, 100]]).tolist() == [[321.0, 654.0]]
    with pytest.raises(scoreline.ShapeError, match=r"shape \(3, 2\), found \(2, 3\). Give the transposed array"):
        scoreline.Builder(3, 2).set_linear(coef)
    with pytest.raises(scoreline.ShapeError, match=r"shape \(3, 2\), found \(6,\)"):
        scoreline.Builder(3, 2).set_linear(coef.ravel())
    for one in (coef[0], coef[:1], coef[:1].T):
        assert scoreline.Builder(3).set_linear(one).finish().predict([[1, 10, 100]]).tolist() == [321.0]
