#!/usr/bin/env python3
"""Import of 100,000 points × 7 columns: our read + validate + diff against openpyxl only reading the same file.

Usage: run.py [--bin build/release/bench/import_bench] [--points N] [--rounds N]
Both run in turn, several times; prints one JSON object with the medians, their ratio, our peak memory and whether the
targets (ten times as fast, under 300 MB) are met. The exit code is 0 either way.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from figures import figure, show  # noqa: E402

READ_WITH_OPENPYXL = """
import sys, time
import openpyxl
start = time.perf_counter()
book = openpyxl.load_workbook(sys.argv[1], read_only=True, data_only=True)
cells = sum(len(row) for sheet in book for row in sheet.iter_rows(values_only=True))
print(time.perf_counter() - start)
"""


def make_workbook(path, points, shared_strings):
    import xlsxwriter

    # Shared strings are what Excel, WPS and LibreOffice write; inline strings what streaming writers write.
    book = xlsxwriter.Workbook(path, {"constant_memory": not shared_strings})
    sheet = book.add_worksheet("sites")
    sheet.write_row(0, 0, ["site_code", "site_name"])
    sheet.write_row(1, 0, ["S1", "Plant 一厂"])
    sheet = book.add_worksheet("devices")
    sheet.write_row(0, 0, ["device_code", "device_name", "site_code", "protocol", "address"])
    for device in range((points + 499) // 500):
        sheet.write_row(device + 1, 0, [f"D{device:03}", f"Device {device}", "S1", "modbus_tcp", f"10.0.{device // 250}.{device % 250 + 1}:502"])
    sheet = book.add_worksheet("points")
    sheet.write_row(0, 0, ["point_code", "point_name", "device_code", "address", "data_type", "scale", "unit"])
    for i in range(points):
        device, index = divmod(i, 500)
        sheet.write_row(i + 1, 0, [f"D{device:03}_P{index:03}", f"Temperature 温度 {i}", f"D{device:03}", f"hr:{index * 2}", "float32", 0.1, "°C"])
    sheet = book.add_worksheet("tasks")
    sheet.write_row(0, 0, ["task_code", "task_name", "devices", "period_ms"])
    sheet.write_row(1, 0, ["ALL", "Everything", "D*", 1000])
    book.close()


def compare(binary, path, rounds):
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(json.loads(subprocess.run([binary, path], check=True, capture_output=True, text=True).stdout))
        theirs.append(float(subprocess.run([sys.executable, "-c", READ_WITH_OPENPYXL, path], check=True,
                                           capture_output=True, text=True).stdout))
    ours_s = statistics.median(run["total_s"] for run in ours)
    openpyxl_s = statistics.median(theirs)
    return {
        "points": ours[0]["points"],
        "ours_s": round(ours_s, 4),
        "read_s": round(statistics.median(run["read_s"] for run in ours), 4),
        "validate_s": round(statistics.median(run["validate_s"] for run in ours), 4),
        "diff_s": round(statistics.median(run["diff_s"] for run in ours), 4),
        "openpyxl_read_only_s": round(openpyxl_s, 4),
        "ratio": round(openpyxl_s / ours_s, 2),
        "peak_rss_mb": round(max(run["peak_rss_mb"] for run in ours), 1),
    }


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(here, "../../build/release/bench/import_bench"))
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    result = {"claim": "import", "target_ratio": 10, "target_peak_mb": 300}
    with tempfile.TemporaryDirectory() as folder:
        for name, shared in (("shared_strings", True), ("inline_strings", False)):
            path = os.path.join(folder, name + ".xlsx")
            make_workbook(path, options.points, shared)
            result[name] = compare(options.bin, path, options.rounds)
    figures = []
    for name in ("shared_strings", "inline_strings"):
        run = result[name]
        figures.append(figure(f"Import of {options.points:,} points ({name.replace('_', ' ')}): read, validate, diff", run["openpyxl_read_only_s"] / run["ratio"],
                              "s", run["openpyxl_read_only_s"], "openpyxl, only reading", target="10 times faster",
                              met=run["ratio"] >= result["target_ratio"], raw=run))
    peak = max(result[name]["peak_rss_mb"] for name in ("shared_strings", "inline_strings"))
    figures.append(figure("… peak memory", peak, "MB", target="under 300", met=peak < result["target_peak_mb"]))
    show("import", *figures)


if __name__ == "__main__":
    main()
