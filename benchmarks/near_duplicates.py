"""Near-duplicates among ads of a few templates, where every ad has thousands of others that look like it.

Run as ``python -m benchmarks.near_duplicates [--templates N] [--ads N]``; without options, 50 templates of 2,000 ads, a
twentieth of which are altered copies, are 100,000 images. Reading and grouping them must take at most 10 minutes on
2 cores. Drawing the images first takes longer than that and is not counted.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from tests.support.templated import altered, changed, draw, draw_content, draw_template, pair_quality
from text2image.collection.catalog import group_entries, read_folder
from text2image.collection.scan import scan
from text2image.params import load_params

TEMPLATES, ADS, COPY_EVERY, LIMIT_S = 50, 2_000, 20, 600.0
VISIBLE_CHANGES = ("product", "price", "headline")  # another colour of a black product is hardly seen


def draw_ads(folder: Path, ads: int, number: int) -> None:
    """Write the ads of one template, no two of which look the same; every twentieth is a copy of the one before."""
    rng = np.random.default_rng(number)
    template, content = draw_template(rng), draw_content(rng)
    while template.words[1] + 2.5 * template.words[2] > template.ground.height:
        template = draw_template(rng)  # of that one, the price would not be seen
    image, seen = draw(template, content), set[bytes]()
    for ad in range(ads):
        if ad % COPY_EVERY == COPY_EVERY - 1:
            name = f"{number:02}-{ad - 1:04}-copy.jpg"
            altered(image, "mix", rng).save(folder / name, quality=88)
            continue
        while (pixels := image.tobytes()) in seen:
            for change in VISIBLE_CHANGES:
                content = changed(content, change, rng)
            image = draw(template, content)
        seen.add(pixels)
        image.save(folder / f"{number:02}-{ad:04}.jpg", quality=88)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--templates", type=int, default=TEMPLATES)
    parser.add_argument("--ads", type=int, default=ADS)
    parser.add_argument("--folder", type=Path, help="where to draw and keep them, or an earlier run did")
    options = parser.parse_args()
    settings = load_params().catalog
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        if not folder.is_dir() or not any(folder.iterdir()):
            folder.mkdir(parents=True, exist_ok=True)
            with ProcessPoolExecutor() as pool:
                list(pool.map(partial(draw_ads, folder, options.ads), range(options.templates)))
        start, used = time.perf_counter(), cpu_seconds()
        entries, _ = read_folder(folder, settings.max_pixels, scan(folder))
        read, read_cpu = time.perf_counter() - start, cpu_seconds() - used
        found, bounded = group_entries(
            folder, entries, settings.near_duplicate_bits, settings.near_duplicate_levels
        )
        grouped, grouped_cpu = time.perf_counter() - start - read, cpu_seconds() - used - read_cpu
    names = [entry.path.removesuffix(".jpg").removesuffix("-copy") for entry in entries]
    shown = np.unique(names, return_inverse=True)[1]
    pairs, precision, recall = pair_quality(np.array(found), shown.astype(np.int64))
    print(
        f"{len(entries):,} images of {options.templates} templates, {os.cpu_count()} cores: read in {read:.0f} s"
    )
    print(f"grouped in {grouped:.0f} s, together {read + grouped:.0f} s (limit for 100,000: {LIMIT_S:.0f} s)")
    print(f"processor time: {read_cpu:.0f} s and {grouped_cpu:.0f} s; {bounded:,} images had more candidates")
    print(f"{pairs:,} true pairs, precision {precision or 0:.3f}, recall {recall or 0:.3f}")


def cpu_seconds() -> float:
    """Return the processor time of this process and of those that it ran."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
