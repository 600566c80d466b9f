"""Kill -9 in a loop while four threads record and the log is written: what the library had called written is there, each record
once, and every segment can be read up to its end or a torn last frame.

Comes in: SCORELINE_BUILD (default: build/) with tests/capture_writer and cli/scoreline. SCORELINE_KILLS: how often (200).
"""
import json
import os
import pathlib
import random
import re
import signal
import struct
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SCORELINE_BUILD", ROOT / "build"))
WRITER, COMMAND = BUILD / "tests" / "capture_writer", BUILD / "cli" / "scoreline"
KILLS = int(os.environ.get("SCORELINE_KILLS", "200"))
CHECK_EVERY = 10  # several generations of processes in one directory, then a new one


def run_and_kill(folder: pathlib.Path, progress: pathlib.Path, seconds: float) -> tuple[str, int]:
    """The number of a process, and the records that it called written before it was killed."""
    progress.write_bytes(bytes(8))
    process = subprocess.Popen([WRITER, folder, "forever", progress], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not struct.unpack("<Q", progress.read_bytes())[0]:  # it is at work
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "the writer wrote nothing for two minutes"
        time.sleep(0.001)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    assert process.wait(120) == -signal.SIGKILL
    process.stderr.close()
    return str(process.pid), struct.unpack("<Q", progress.read_bytes())[0]


def read_log(folder: pathlib.Path):
    """Records by the process that wrote them, and the command's view of the segments."""
    done = subprocess.run([COMMAND, "log", "stats", "--json", "-q", folder], capture_output=True, check=True)
    segments = json.loads(done.stdout)["segments"]
    by_process: dict[str, list[int]] = {}
    for segment in segments:
        lines = subprocess.run([COMMAND, "log", "cat", "-q", segment["path"]], capture_output=True, check=True).stdout
        process = segment["path"].split("-")[-2]
        ids = [int(number) for number in re.findall(rb'^{"request_id":"r([0-9]+)"', lines, re.M)]
        assert len(ids) == segment["records"]
        by_process.setdefault(process, []).extend(ids)
    return by_process, segments


def test_kill_loses_no_complete_record(tmp_path):
    rng = random.Random(5)
    torn = total = 0
    for first in range(0, KILLS, CHECK_EVERY):
        folder = tmp_path / f"log{first}"
        folder.mkdir()
        written = dict(run_and_kill(folder, tmp_path / "progress", rng.uniform(0, 0.03))
                       for _ in range(min(CHECK_EVERY, KILLS - first)))
        by_process, segments = read_log(folder)
        assert by_process.keys() == written.keys()
        for ids in by_process.values():
            assert len(set(ids)) == len(ids), "a record is there twice"
        # A process may have written one more batch than it could tell.
        assert all(n <= len(by_process[process]) for process, n in written.items()), (written, list(map(len, by_process.values())))
        assert all(segment["end"] in ("whole", "torn") for segment in segments)
        assert all(segment["end"] == "whole" for segment in segments if segment["closed"] and
                   segment["path"] != max(s["path"] for s in segments if s["path"].split("-")[-2] ==
                                          segment["path"].split("-")[-2]))
        torn += sum(segment["end"] == "torn" for segment in segments)
        total += sum(map(len, by_process.values()))
        for file in folder.iterdir():
            file.unlink()
    print(f"{KILLS} kills, {total} records read, {torn} torn tails, 0 lost, 0 unreadable segments")
    assert total > KILLS
