"""The ctypes structs are laid out as the C compiler lays out the headers."""

import ctypes
import pathlib
import subprocess

from scoreline import _build, _capture, _endpoint, _library, _log_records, _statistics

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"
STRUCTS = {
    "score_error": _library.Error,
    "score_open_options": _library.OpenOptions,
    "score_import_options": _library.ImportOptions,
    "score_model_info": _library.Info,
    "score_column": _library.Column,
    "score_input": _library.Input,
    "score_options": _library.Options,
    "score_bins": _library.Bins,
    "score_bin_column": _library.BinColumnStruct,
    "score_reason": _library.Reason,
    "score_save_options": _library.SaveOptions,
    "score_contract": _library.Contract,
    "score_build_options": _library.BuildOptions,
    "score_node": _library.Node,
    "score_tree": _library.Tree,
    "score_step": _library.Step,
    "score_column_program": _library.ColumnProgram,
    "score_linear_leaf": _library.LinearLeaf,
    "score_capture_options": _capture.CaptureOptions,
    "score_capture_info": _capture.CaptureInfo,
    "score_served_entity": _endpoint.ServedEntity,
    "score_route": _endpoint.Route,
    "score_endpoint_config": _endpoint.EndpointConfig,
    "score_endpoint_options": _endpoint.EndpointOptions,
    "score_served_info": _endpoint.ServedInfo,
    "score_request": _endpoint.Request,
    "score_answer": _endpoint.Answer,
    "score_call": _statistics.Call,
    "score_statistics_options": _statistics.StatisticsOptions,
    "score_snapshot_info": _statistics.SnapshotInfo,
    "score_histogram": _statistics.HistogramStruct,
    "score_reference_options": _statistics.ReferenceOptions,
    "score_drift": _statistics.DriftStruct,
    "score_prometheus_options": _statistics.PrometheusOptions,
    "score_log_options": _log_records.LogOptions,
    "score_log_model": _log_records.LogModel,
    "score_log_value": _log_records.LogValue,
    "score_log_call": _log_records.LogCall,
    "score_log_segment": _log_records.LogSegment,
    "score_part": _library.PartStruct,
}
CONSTANTS = {
    "SCORE_F32": _library.F32,
    "SCORE_F64": _library.F64,
    "SCORE_I64": _library.I64,
    "SCORE_U64": _library.U64,
    "SCORE_BOOL": _library.BOOL,
    "SCORE_BOOL_BITS": _library.BOOL_BITS,
    "SCORE_STRING": _library.STRING,
    "SCORE_ROWS": _library.LAYOUT_ROWS,
    "SCORE_COLUMNS": _library.LAYOUT_COLUMNS,
    "SCORE_BINNED": _library.LAYOUT_BINNED,
    "SCORE_OUTPUT_PREDICTION": _library.OUTPUTS["prediction"],
    "SCORE_OUTPUT_MARGIN": _library.OUTPUTS["margin"],
    "SCORE_OUTPUT_LEAF": _library.OUTPUTS["leaf"],
    "SCORE_OUTPUT_CLASS": _library.OUTPUTS["class"],
    "SCORE_OUTPUT_CONTRIBUTION": _library.OUTPUTS["contribution"],
    **{f"SCORE_DIRECTION_{name.upper()}": number for name, number in _library.DIRECTIONS.items()},
    "SCORE_STATISTICS_NO_REFERENCE": _statistics.NO_REFERENCE,
    "SCORE_CALL_SHADOW": _statistics.CALL_SHADOW,
    "SCORE_PROMETHEUS_OPENMETRICS": _statistics.OPENMETRICS,
    "SCORE_PROMETHEUS_NO_FEATURES": _statistics.NO_FEATURES,
    "SCORE_PROMETHEUS_FEATURE_BINS": _statistics.FEATURE_BINS,
    "SCORE_OPEN_MMAP": _library.OPEN_MMAP,
    "SCORE_OPEN_VERIFY": _library.OPEN_VERIFY,
    "SCORE_OPEN_SMALL": _library.OPEN_SMALL,
    **{f"SCORE_ISA_{name.upper()}": number for name, number in _library.ISAS.items()},
    **{f"SCORE_STEP_{name.upper()}": code for name, code in _build.OPERATIONS.items()},
    **{f"SCORE_ROOT_{name.upper()}": code for name, code in _build.ROOTS.items()},
    "SCORE_STEP_F32": _build.STEP_F32,
    **{f"SCORE_LINK_{name.upper()}": code for name, code in _build.LINKS.items()},
}


def members(struct):
    return [name for name, *_ in struct._fields_]


def test_layout_and_constants(tmp_path):
    lines = []
    for name, struct in STRUCTS.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        lines += [f'printf("{name}.{member} %zu\\n", offsetof({name}, {member}));' for member in members(struct)]
    for part in ("rows.row_stride_bytes", "rows.column_stride_bytes", "columns.columns"):
        lines.append(f'printf("u.{part} %zu\\n", offsetof(score_input, u.{part}));')
    lines += [f'printf("{name} %d\\n", (int){name});' for name in CONSTANTS]
    source = tmp_path / "layout.c"
    source.write_text(
        "#include <scoreline/bins.h>\n#include <scoreline/build.h>\n#include <scoreline/deploy.h>\n"
        "#include <scoreline/import.h>\n#include <stdio.h>\n"
        "int main(void)\n{\n" + "\n".join(lines) + "\nreturn 0;\n}\n"
    )
    subprocess.run(["cc", "-I", str(INCLUDE), "-o", str(tmp_path / "layout"), str(source)], check=True)
    printed = subprocess.run([str(tmp_path / "layout")], check=True, capture_output=True, text=True).stdout
    found = {name: int(number) for name, number in (line.split() for line in printed.splitlines())}

    expected = dict(CONSTANTS)
    for name, struct in STRUCTS.items():
        expected[name] = ctypes.sizeof(struct)
        expected.update({f"{name}.{member}": getattr(struct, member).offset for member in members(struct)})
    u = _library.Input.u.offset
    expected["u.rows.row_stride_bytes"] = u + _library._InputRows.row_stride_bytes.offset
    expected["u.rows.column_stride_bytes"] = u + _library._InputRows.column_stride_bytes.offset
    expected["u.columns.columns"] = u
    assert found == expected
