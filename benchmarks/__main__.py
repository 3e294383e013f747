"""All benchmarks that the table holds, in one run: ``python -m benchmarks [PART …]``; ``make bench``.

With all parts, what was measured is written to ``benchmarks/results.csv``, and the table in ``benchmarks/README.md``
is made from it; `make readme` renews the one in README.md. Nothing else should run meanwhile.
"""

import argparse
import importlib

from benchmarks.table import renew_guide, report, require, write

PARTS = ("startup", "embedding", "gpu", "retrieval", "words", "metrics", "checksums", "scale")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, and write the table.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; by default all")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"expected parts of {', '.join(PARTS)}, found {', '.join(sorted(unknown))}")
    parts = (importlib.import_module(f"benchmarks.{part}") for part in options.parts or PARTS)
    found = report(row for part in parts for row in part.rows())
    if not options.parts:
        write(found)
        renew_guide(found)
    require(found)


if __name__ == "__main__":
    main()
