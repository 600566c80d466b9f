"""What the bench holds Scoreline to: ratios that a row of the report must reach. Measured, printed, never a failure."""

# model, rows per call, peers (the best of those that ran), at least
ONE_ON_ONE = [
    ("x500d6", 100_000, ("XGBoost",), 40), ("x500d6nan", 100_000, ("XGBoost",), 60),
    ("x1000d8", 100_000, ("XGBoost",), 30), ("x100d6", 100_000, ("XGBoost",), 16),
    ("l500x31", 100_000, ("LightGBM",), 60), ("l500x31", 100_000, ("lleaves",), 12),
    ("l500x255", 100_000, ("LightGBM",), 45), ("l500x255", 100_000, ("ONNX Runtime",), 20),
    ("c1000d6", 100_000, ("CatBoost",), 6),
    ("forest", 100_000, ("XGBoost",), 25), ("forest", 1_000, ("XGBoost",), 8),
    ("skforest", 100_000, ("scikit-learn",), 25), ("skforest", 1_000, ("scikit-learn",), 8),
    ("x500d6", 1, ("XGBoost",), 50), ("x500d6", 1, ("tl2cgen",), 14),
    ("l500x31", 1, ("LightGBM",), 12), ("l500x31", 1, ("lleaves",), 5),
    ("linear32", 100_000, ("NumPy (BLAS)",), 1), ("linear1000", 100_000, ("NumPy (BLAS)",), 1),
    ("linear32", 100_000, ("ONNX Runtime",), 2), ("linear1000", 100_000, ("ONNX Runtime",), 2),
]
OTHERS = ("pylignum", "pylignum, compiled", "tl2cgen", "ONNX Runtime")
TWO_THREADS = ("x500d6", "l500x31")
TREES = ("x500d6", "x500d6nan", "x1000d8", "x100d6", "l500x31", "l500x255", "c1000d6", "forest", "skforest")


def named(key: str, batch: int) -> set[str]:
    """The peers that a floor names, of which a time must be known."""
    return {name for k, b, names, _ in ONE_ON_ONE if (k, b) == (key, batch) for name in names}


def tells(contest: dict) -> bool:
    """Nothing is known of a call through Python that takes about as long as an empty one."""
    return contest["ns"] * contest["batch"] > 0.1 * contest["overhead_ns"]


def times(model: dict, batch: int) -> dict:
    return {c["side"]: c["ns"] for c in model.get("contests", []) if c["batch"] == batch and tells(c)}


def row(model: dict, batch: int, names, floor: float, what: str) -> dict:
    ns = times(model, batch)
    others = {name: t for name, t in ns.items() if name != "Scoreline" and (names is None or name in names)}
    best = min(others, key=others.get) if others else None
    ratio = others[best] / ns["Scoreline"] if best and "Scoreline" in ns else None
    return {"model": model.get("title", model["key"]), "batch": batch, "against": what, "peer": best, "floor": floor,
            "ratio": ratio}


def simple(what: str, floor: float, ratio) -> dict:
    return {"model": what, "batch": None, "against": "", "peer": None, "floor": floor, "ratio": ratio}


def speed(models: dict, key: str, batch: int):
    return times(models.get(key, {}), batch).get("Scoreline")


def own_floors(report: dict, models: dict) -> list[dict]:
    """What Scoreline is held to against itself."""
    rows = []
    for key in ("x500d6", "l500x31", "l500x255", "c1000d6", "forest"):
        model = models.get(key, {})
        isa = {v["isa"]: v["ns"] for v in model.get("variants", []) if "ns" in v}
        if "avx512" in isa:
            rows += [simple(f"{model['title']}: {name} beside AVX-512", floor, isa["avx512"] / isa[name])
                     for name, floor in (("avx2", 1 / 3), ("portable", 1 / 10)) if name in isa]
    base = speed(models, "x500d6", 10_000)
    for key, what in (("wide", "2,000 features"), ("u16", "more than 255 cuts")):
        mine = speed(models, key, 10_000)
        if base and mine:
            rows.append(simple(f"{what} beside 28 features and 255 cuts", 1 / 3, base / mine))
    for key in TWO_THREADS:
        model = models.get(key, {})
        if model.get("threads"):
            # The least of both: a pass of two threads lasts as long as the processor that others take more of.
            rows.append(simple(f"{model['title']}: two threads beside one", 1.9,
                               model["threads"]["one"]["low"] / model["threads"]["two"]["low"]))
        if model.get("layouts"):
            plain = model["layouts"]["float rows"]["ns"]
            rows += [simple(f"{model['title']}: {name} beside float rows", 1, plain / t["ns"])
                     for name, t in model["layouts"].items() if "olumns" in name]
    for key in TREES:
        flat = speed(models, key, 512), speed(models, key, 100_000)
        if all(flat):
            rows.append(simple(f"{models[key]['title']}: 512 rows per call beside 100,000", 0.9, flat[1] / flat[0]))
    # What one more tree costs, since binning costs the same for 10 trees and for 10,000.
    ns = {p["trees"]: p["ns"] for p in report.get("scaling", {}).get("points", []) if p["side"] == "Scoreline"}
    if ns:
        rows += [simple(f"a tree more, from {a:,} to {b:,}, beside 1,000 to 10,000", 0.9,
                        (ns[b] - ns[a]) / (b - a) * 9_000 / (ns[10_000] - ns[1_000])) for a, b in ((10, 100), (100, 1_000))]
    rows.append(simple("NEON beside AVX-512: one machine has not got both, and an emulator tells no speed", 1 / 10, None))
    for model in models.values():
        for m in model.get("memory", []):
            used, allowed = m["resident_scoring"], m["model_bytes"] + 4_000_000 * m["threads"]
            rows.append(simple(f"{model['title']}: memory allowed over used, {m['threads']} thread(s)", 1,
                               allowed / used))
    return rows


def judged_all(reports: list[dict]) -> list[dict]:
    """Of several runs: each floor with its ratio in every run; `ratio` is the least, of `peer` in that run."""
    rows = [{**r, "ratios": []} for r in judged(reports[0])]
    for report in reports:
        of_run = {(r["model"], r["batch"], r["against"]): r for r in judged(report)}
        for row in rows:
            found = of_run.get((row["model"], row["batch"], row["against"]), {})
            ratio = found.get("ratio")
            row["ratios"].append(ratio)
            if ratio is not None and (row["ratio"] is None or ratio < row["ratio"]):
                row["ratio"], row["peer"] = ratio, found["peer"]
    return rows


def judged(report: dict) -> list[dict]:
    models = {m["key"]: m for m in report["models"]}
    rows = [row(models[key], batch, names, floor, names[0]) for key, batch, names, floor in ONE_ON_ONE if key in models]
    rows += [row(models[key], 100_000, OTHERS, 5, "best of pylignum, tl2cgen, ONNX Runtime")
             for key in TREES if key in models]
    rows += [row(models[key], batch, None, 4, "best peer")
             for key in (*TREES, "flightsx", "flightsl") if key in models for batch in (8, 32, 64, 200)]
    if report["quick"]:
        rows = [r for r in rows if r["ratio"]]
    return rows + own_floors(report, models)
