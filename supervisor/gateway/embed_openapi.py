#!/usr/bin/env python3
"""Turns proto/openapi.yaml into a C++ source that holds it as JSON text.

Usage: embed_openapi.py openapi.yaml openapi.cpp
"""
import json
import sys

import yaml

CHUNK = 8000  # compilers limit the length of one string literal


def main() -> None:
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True)
    chunks = [text[i : i + CHUNK] for i in range(0, len(text), CHUNK)]
    lines = [
        '#include "supervisor/gateway/openapi.h"',
        "",
        "#include <string>",
        "",
        "namespace fieldwarden::supervisor::gateway {",
        "",
        "std::string_view openapi_json() {",
        "    static const std::string kText =",
    ]
    for i, chunk in enumerate(chunks):
        prefix = "std::string" if i == 0 else "+ std::string"
        lines.append(f'        {prefix}(R"openapi({chunk})openapi")')
    lines[-1] += ";"
    lines += ["    return kText;", "}", "", "}  // namespace fieldwarden::supervisor::gateway", ""]
    with open(target, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


main()
