"""Times of the explorer's page in Chromium: to its first picture, and from a slider to its picture.

    python benchmarks/explorer.py [MODEL ...] [--wasm DIR] [--moves 100] [--out FILE.csv]

Needs `apt-get install chromium` and `pip install -e '.[browser]'`.

`first_picture` is from the navigation to the first picture on the canvas, of a page from this
machine with an empty cache: it loads the runtime (9.7 MB), compiles it and loads the model. Others
are times of a move of the first continuous code, or latent, to the drawn picture, while the grid of
codes is drawn anew in between as for a user. All in milliseconds.
"""

import argparse
import csv
import shutil
import sys
import tempfile
import threading
from pathlib import Path

COLUMNS = ("model", "first_picture", "median", "percentile_90", "largest", "moves", "processor")

MOVES = """
async (count) => {
  const slider = document.querySelector("#controls input[type=range]");
  const [low, high] = [Number(slider.min), Number(slider.max)], times = [];
  const turn = () => new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    port2.postMessage(0);
  });
  for (let i = 0; i < count; i++) {
    const before = explorer.state.image, start = performance.now();
    slider.value = low + (high - low) * ((i * 37 + 11) % 101) / 101;
    slider.dispatchEvent(new Event("input"));
    while (explorer.state.image === before) await turn();
    times.push(performance.now() - start);
    await new Promise((done) => setTimeout(done, 20));
  }
  return times;
}
"""
READY = "() => window.explorer?.state.image"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["infogan_mnist", "mmd_vae_2d_mnist"])
    parser.add_argument("--wasm", help="as for infomodels explore")
    parser.add_argument("--moves", type=int, default=100)
    parser.add_argument("--out", type=Path, help="CSV file; printed as well")
    arguments = parser.parse_args()
    from keras_infomodels.export import web_runtime
    from keras_infomodels.zoo.cache import home

    given = arguments.wasm
    runtime = Path(given) if given else web_runtime.cached_runtime(home())
    rows = [measure(name, runtime, arguments.moves) for name in arguments.models]
    for file in filter(None, [sys.stdout, arguments.out and arguments.out.open("w", newline="")]):
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def processor() -> str:
    """The processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else "unknown"


def measure(name: str, runtime: Path, moves: int) -> dict:
    """A row for one model: a page that holds it alone."""
    import numpy as np
    from playwright.sync_api import sync_playwright

    from keras_infomodels.export.explorer import server, write_explorer

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = write_explorer([name], Path(folder) / "page", runtime)
        with server(site) as serving:
            threading.Thread(target=serving.serve_forever, daemon=True).start()
            chromium = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{serving.server_port}/")
            page.wait_for_function(READY, polling=5, timeout=120_000)
            first = page.evaluate("() => performance.now()")
            page.wait_for_timeout(2000)
            times = page.evaluate(MOVES, moves)
            browser.close()
            serving.shutdown()
    return {
        "model": name,
        "first_picture": round(first),
        "median": round(float(np.median(times)), 1),
        "percentile_90": round(float(np.percentile(times, 90)), 1),
        "largest": round(max(times), 1),
        "moves": moves,
        "processor": processor(),
    }


if __name__ == "__main__":
    main()
