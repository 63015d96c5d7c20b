#!/usr/bin/env python3
"""Turns the built console into sources: each file compressed, an assembler file that includes them, and their table in C++.

Usage: embed_console.py DIST OUT     (writes OUT/console_files.cpp, OUT/console_data.s and OUT/*.gz)
"""
import gzip
import hashlib
import pathlib
import sys

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def main() -> None:
    dist, out = (pathlib.Path(argument) for argument in sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    for stale in out.glob("*.gz"):
        stale.unlink()
    rows, data = [], []
    for number, file in enumerate(sorted(path for path in dist.rglob("*") if path.is_file())):
        content = file.read_bytes()
        # No time stamp, so that the same sources give the same program.
        packed = gzip.compress(content, 9, mtime=0)
        target = out / f"{number}.gz"
        target.write_bytes(packed)
        path = "/" + file.relative_to(dist).as_posix()
        etag = hashlib.sha256(content).hexdigest()[:24]
        immutable = "true" if path.startswith("/assets/") else "false"
        data += [f"console_file_{number}:", f'    .incbin "{target}"']
        rows.append(
            f'    ConsoleFile{{"{path}", "{CONTENT_TYPES[file.suffix]}", "\\"{etag}\\"", '
            f"{{console_file_{number}, {len(packed)}}}, {len(content)}, {immutable}}},"
        )
    names = [line[:-1] for line in data if line.endswith(":")]
    assembler = ['    .section .rodata', *(f"    .globl {name}" for name in names), *data,
                 '    .section .note.GNU-stack,"",%progbits', ""]
    (out / "console_data.s").write_text("\n".join(assembler), encoding="utf-8")
    source = [
        '#include "supervisor/console/console_files.h"',
        "",
        "#include <array>",
        "",
        *(f'extern "C" const char {name}[];' for name in names),
        "",
        "namespace fieldwarden::supervisor::console {",
        "",
        "std::span<const ConsoleFile> console_files() {",
        "    static const std::array kFiles{",
        *("    " + row for row in rows),
        "    };",
        "    return kFiles;",
        "}",
        "",
        "}  // namespace fieldwarden::supervisor::console",
        "",
    ]
    (out / "console_files.cpp").write_text("\n".join(source), encoding="utf-8")


main()
