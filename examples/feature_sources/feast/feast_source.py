"""A feature view of a Feast repository, for lookups: from its online store, or as a feature table made of its offline store.

    FeatureLookup(table_name=FeastSource(store, "customer_profile"), lookup_key="customer_id")

    python feast_source.py REPOSITORY VIEW -o profile.sft

Comes in: a feast.FeatureStore. Goes out: what scoreline.features takes. Relies on: feast 0.67, pyarrow.
"""
from __future__ import annotations

import argparse
import datetime
from typing import Any, Dict, List, Optional

import numpy as np
from feast import FeatureStore
from feast.infra.offline_stores.offline_utils import get_offline_store_from_config
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.types import Bool, Float32, Float64, Int32, Int64, String

from scoreline.features import FeatureSource, FeatureTable, Fetched

TYPES = {Float64: "f64", Float32: "f32", Int64: "i64", Int32: "i32", Bool: "bool", String: "string"}
LONG_AGO = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class FeastSource(FeatureSource):
    """A feature view in the online store, asked by ``get_online_features``: one request for each lookup of a batch.

    Rows count for as long as the view's ``ttl`` says, as in Feast's joins of the past; Feast's own online answer has them
    whatever their age. Event times have the online store's resolution, in SQLite seconds.
    """

    def __init__(self, store: FeatureStore, view: str):
        self.store, self.path = store, view
        described = store.get_feature_view(view)
        self.keys = list(described.join_keys)
        self.ttl = described.ttl
        self._key_types = {column.name: column.dtype for column in described.entity_columns}
        self.columns = {field.name: _type(field, view) for field in described.features}

    def fetch(self, keys: List[List[Any]], columns: List[str]) -> Fetched:
        n_rows = len(keys[0])
        asked = [i for i in range(n_rows) if all(part[i] is not None for part in keys)]
        rows = {name: [self._key(name, part[i]) for i in asked] for name, part in zip(self.keys, keys)}
        found, times = np.zeros(n_rows, dtype=bool), np.full(n_rows, np.datetime64("NaT", "us"))
        picked: Dict[str, List[Any]] = {name: [None] * n_rows for name in columns}
        if not asked or not columns:
            return Fetched(picked, found, times)
        response = self.store.get_online_features([f"{self.path}:{name}" for name in columns], rows)
        for name, values in response.to_dict().items():
            for i, value in zip(asked, values if name in picked else ()):
                picked[name][i] = value
        # Feast keeps a time and a status for each feature; a row is written as a whole, so the first feature's are the row's.
        first = response.proto.results[list(response.proto.metadata.feature_names.val).index(columns[0])]
        for i, status, stamp in zip(asked, first.statuses, first.event_timestamps):
            found[i] = status != FieldStatus.NOT_FOUND
            if found[i]:
                times[i] = np.datetime64(stamp.ToMicroseconds(), "us")
        return Fetched(picked, found, times)

    def _key(self, name: str, value: Any) -> Any:
        wanted = str if self._key_types[name] == String else int
        if not isinstance(value, wanted):
            raise TypeError(f"the key {name!r} of {self.path!r} takes {wanted.__name__}, found {value!r}")
        return value


def _type(field: Any, view: str) -> str:
    if field.dtype not in TYPES:
        raise TypeError(f"the feature {field.name!r} of {view!r} is {field.dtype}; expected one of {', '.join(map(str, TYPES))}")
    return TYPES[field.dtype]


def build_table(
    store: FeatureStore, view: str, path: Any, start: datetime.datetime = LONG_AGO, end: Optional[datetime.datetime] = None
) -> FeatureTable:
    """Write all rows over time that the view's offline store has between two times as a feature table.

    Lookups with ``timestamp_lookup_key`` and the view's ttl as ``lookback_window`` (None where it is 0) then give
    what Feast's ``get_historical_features`` gives.
    """
    described = store.get_feature_view(view)
    source = described.batch_source
    renamed = {name: column for column, name in source.field_mapping.items()}
    names = [field.name for field in described.features]
    job = get_offline_store_from_config(store.config.offline_store).pull_all_from_table_or_query(
        config=store.config,
        data_source=source,
        join_key_columns=[renamed.get(name, name) for name in described.join_keys],
        feature_name_columns=[renamed.get(name, name) for name in names],
        timestamp_field=source.timestamp_field,
        created_timestamp_column=source.created_timestamp_column or None,
        start_date=start,
        end_date=end or datetime.datetime.now(datetime.timezone.utc),
    )
    rows = job.to_arrow()
    time = source.timestamp_field
    rows = _latest_made(rows, [renamed.get(name, name) for name in described.join_keys] + [time], source.created_timestamp_column)
    rows = rows.rename_columns([source.field_mapping.get(name, name) for name in rows.column_names])
    return FeatureTable.build(path, rows.select([*described.join_keys, time, *names]), key=list(described.join_keys), timestamp=time)


def _latest_made(rows: Any, key: List[str], created: str) -> Any:
    """Of rows of the same key and time only the one that was created last, as Feast's joins take them."""
    if not created:
        return rows
    rows = rows.sort_by([(name, "ascending") for name in (*key, created)])
    last = rows.append_column("row", [np.arange(len(rows))]).group_by(key, use_threads=False).aggregate([("row", "max")])
    return rows.take(last["row_max"])


def main() -> None:
    parser = argparse.ArgumentParser(description="a feature table of what a Feast feature view has in its offline store")
    parser.add_argument("repository", help="folder with feature_store.yaml")
    parser.add_argument("view")
    parser.add_argument("-o", dest="out", required=True, help="the table, .sft")
    given = parser.parse_args()
    table = build_table(FeatureStore(given.repository), given.view, given.out)
    print(f"{given.out}: {len(table)} rows by {', '.join(table.keys)} over {table.timestamp}; {', '.join(table.columns)}")


if __name__ == "__main__":
    main()
