from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from predict.prediction import Prediction
from predict.tables import parquet_features


@pytest.mark.parametrize(("width", "groups"), [(2, [4096, 904]), (1024, [2048, 2048, 904])])
def test_features_are_written_some_thousand_rows_at_a_time(
    width: int, groups: list[int], tmp_path: Path
) -> None:
    names = [f"{number}.jpg" for number in range(5000)]
    with (
        (tmp_path / "f.parquet").open("wb") as file,
        parquet_features(file, names, width=width, layer="fc") as add,
    ):
        for number, name in enumerate(names):
            add(Prediction(image=name, features=np.full(width, number, np.float32)))
    found = pq.ParquetFile(tmp_path / "f.parquet")
    metadata = found.metadata
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == groups
    table = found.read()
    assert table["image"].to_pylist() == names
    assert [row[-1] for row in table["features"].to_pylist()] == [float(n) for n in range(5000)]
