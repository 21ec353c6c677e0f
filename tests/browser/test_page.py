"""The explorer in Chromium, end to end: `make test-browser`.

Needs Debian's chromium, the extra `browser`, and LiteRT.js: from the cache or npm, or the folder
that LITERT_DIR names.
"""

import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_infomodels import zoo
from keras_infomodels.export import Runtime, web_runtime
from keras_infomodels.export.explorer import server, write_explorer
from keras_infomodels.zoo.cache import home

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

PRESETS = [
    name
    for name in ("infogan_mnist", "mmd_vae_2d_mnist", "aae_semisupervised_mnist", "infogan_nouns")
    if (zoo.PRESETS / name / "model.tflite").is_file()
]
READY = "() => window.explorer?.state.image && document.getElementById('grid').dataset.key"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page's folder."""
    given = os.environ.get("LITERT_DIR")
    try:
        runtime = Path(given) if given else web_runtime.cached_runtime(home())
    except OSError as error:
        pytest.skip(str(error))
    return write_explorer(PRESETS, tmp_path_factory.mktemp("site") / "page", runtime)


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="needs pip install 'keras-infomodels[browser]'"
    )
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        # Containers that run as root have no sandbox; the page is our own.
        made = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def address(site):
    with server(site) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}/"
        serving.shutdown()


@pytest.fixture(scope="module")
def page(browser, address):
    """The page of a phone's width, and what went wrong on it."""
    made = browser.new_page(viewport={"width": 390, "height": 844})
    made.set_default_timeout(120_000)
    made.problems = []
    made.on("pageerror", lambda error: made.problems.append(str(error)))
    made.on("requestfailed", lambda request: made.problems.append(request.url))
    # The runtime logs to the console, and asks for a GPU; neither is an error.
    own = ("INFO:", "WARNING:")
    made.on(
        "console",
        lambda message: (
            message.type == "error"
            and not message.text.startswith(own)
            and made.problems.append(message.text)
        ),
    )
    made.goto(address)
    made.wait_for_function(READY)
    return made


def choose(page, name):
    page.select_option("#preset", name)
    page.wait_for_function(
        f"() => explorer.state.card.name === '{name}' && explorer.state.image "
        "&& document.getElementById('message').textContent === ''"
    )


def draw(page):
    """Draws a seven by the mouse."""
    page.click("#clear")
    page.locator("#drawing").scroll_into_view_if_needed()
    box = page.locator("#drawing").bounding_box()
    for number, (x, y) in enumerate([(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)]):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    page.wait_for_selector("#answers table")
    page.wait_for_timeout(1000)  # the last stroke is read


def shown(page):
    """Numbers of the answers, by name."""
    rows = page.eval_on_selector_all(
        "#answers tr[data-name]",
        "rows => rows.map(row => [row.dataset.name, "
        "[...row.querySelectorAll('[data-value]')].map(each => Number(each.dataset.value))])",
    )
    return dict(rows)


def numbers(page, expression):
    return np.array(page.evaluate(f"() => Array.from({expression})"), np.float32)


def assert_close(found, wanted):
    np.testing.assert_allclose(found, np.ravel(wanted), rtol=1e-5, atol=1e-5)


@pytest.fixture
def runtime(site):
    return lambda name: Runtime(site / "models" / f"{name}.tflite")


def test_page_infogan_numbers_are_those_of_the_runtime(page, runtime):
    choose(page, "infogan_mnist")
    page.locator("label.choice").nth(3).click()
    page.locator("#value-c1").fill("0.5")
    page.wait_for_timeout(1500)
    # The page's Python makes the page's picture: noise by NumPy's frozen stream.
    made = {}
    code = page.inner_text("#python").replace("Runtime(", "open_file(")
    code = code.replace("from keras_infomodels.export.runtime import open_file(", "")
    code = code.replace("from keras_infomodels.export.runtime import Runtime", "")
    exec(code, {"open_file": lambda file: runtime(Path(file).stem)}, made)
    assert_close(numbers(page, "explorer.state.image"), made["image"])
    assert page.evaluate("() => explorer.state.values") == {"digit": 3, "c1": 0.5, "c2": 0}

    draw(page)
    image = numbers(page, "explorer.state.read.image").reshape(1, 28, 28, 1)
    found, wanted = shown(page), runtime("infogan_mnist").infer_codes(image)
    best = int(wanted["digit_probabilities"].argmax())
    assert_close(found[f"digit_probabilities[{best}]"], wanted["digit_probabilities"][0, best])
    for code in ("c1", "c2"):
        mean, deviation = wanted[f"{code}_mean"].item(), wanted[f"{code}_stddev"].item()
        nats = np.log(2) - 0.5 * np.log(2 * np.pi * np.e * deviation**2)
        assert_close(found[code], [mean, deviation, nats])
    # As MNIST: the center of mass in the middle, up to half a pixel, the ink 20 pixels high.
    ink = image[0, :, :, 0]
    middle = [(ink.sum(axis).dot(np.arange(28) + 0.5) / ink.sum()) for axis in (1, 0)]
    assert np.abs(np.subtract(middle, 14)).max() <= 0.51
    assert np.flatnonzero(ink.max(axis=1) > 0).size == 20


def test_page_vae_numbers_are_those_of_the_runtime(page, runtime):
    choose(page, "mmd_vae_2d_mnist")
    page.locator("#value-z1").fill("1.2")
    page.locator("#pad").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_timeout(1500)
    assert page.evaluate("() => explorer.state.values") == {"z1": 1.2, "z2": 0.15}
    model = runtime("mmd_vae_2d_mnist")
    assert_close(
        numbers(page, "explorer.state.image"), model.decode(np.array([[1.2, 0.15]], np.float32))
    )
    draw(page)
    image = numbers(page, "explorer.state.read.image").reshape(1, 28, 28, 1)
    answers, found = model.encode(image), shown(page)
    for i in range(2):
        mean, deviation = answers["loc"][0, i], answers["scale"][0, i]
        nats = 0.5 * (mean**2 + deviation**2 - 1) - np.log(deviation)
        assert_close(found[f"z{i + 1}"], [mean, deviation, nats])
    noise = np.random.RandomState(1).standard_normal((1, 2)).astype(np.float32)
    for name, value in model.run("score", image=image, noise=noise).items():
        assert_close(found[name], value)


@pytest.mark.skipif("aae_semisupervised_mnist" not in PRESETS, reason="the preset is not here")
def test_page_category_of_an_autoencoder(page, runtime):
    choose(page, "aae_semisupervised_mnist")
    page.locator("label.choice").nth(7).click()
    page.wait_for_timeout(1500)
    z = np.eye(18, dtype=np.float32)[[7]]
    assert_close(
        numbers(page, "explorer.state.image"), runtime("aae_semisupervised_mnist").decode(z)
    )


@pytest.mark.skipif("infogan_nouns" not in PRESETS, reason="the preset is not here")
def test_page_of_a_preset_in_color(page, runtime, tmp_path):
    choose(page, "infogan_nouns")
    assert page.is_visible("#color-label")
    page.locator("#value-c1").fill("-0.5")
    page.wait_for_timeout(1500)
    model, made = runtime("infogan_nouns"), {}
    code = page.inner_text("#python").replace("Runtime(", "open_file(")
    code = code.replace("from keras_infomodels.export.runtime import open_file(", "")
    code = code.replace("from keras_infomodels.export.runtime import Runtime", "")
    exec(code, {"open_file": lambda file: model}, made)
    image = made["image"]
    assert image.shape == (1, 32, 32, 3)
    assert_close(numbers(page, "explorer.state.image"), image)

    # An image of the set's own size is read pixel by pixel.
    pixels = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    page.set_input_files("#image", tmp_path / "noise.png")
    page.wait_for_selector("#answers table")
    page.wait_for_timeout(1000)
    read = numbers(page, "explorer.state.read.image").reshape(1, 32, 32, 3)
    np.testing.assert_allclose(read[0], pixels / 255, atol=1 / 255)
    found, wanted = shown(page), model.infer_codes(read)
    best = int(wanted["k1_probabilities"].argmax())
    assert_close(found[f"k1_probabilities[{best}]"], wanted["k1_probabilities"][0, best])


def test_page_wrong_files_are_sentences(page, tmp_path):
    (tmp_path / "wrong.tflite").write_bytes(b"no model")
    page.set_input_files("#file", tmp_path / "wrong.tflite")
    page.wait_for_selector("#message.error")
    assert "no .tflite of keras-infomodels" in page.inner_text("#message")
    content = bytearray((zoo.PRESETS / "infogan_mnist" / "model.tflite").read_bytes())
    page.set_input_files("#file", {"name": "free.tflite", "mimeType": "", "buffer": bytes(content)})
    page.wait_for_function("() => document.body.innerText.includes('batch of one')")
    content[10_000] ^= 1
    page.set_input_files("#file", {"name": "bent.tflite", "mimeType": "", "buffer": bytes(content)})
    page.wait_for_function("() => document.body.innerText.includes('checksum differs')")
    page.set_input_files("#image", tmp_path / "wrong.tflite")
    page.wait_for_function("() => document.body.innerText.includes('is no image')")
    assert page.is_visible("#picture")


def test_page_fits_a_phone_and_passes_axe(page):
    choose(page, "infogan_mnist")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert not page.is_visible("#color-label")  # the images are gray
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright",
        reason="needs pip install 'keras-infomodels[browser]'",
    )
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        results = axe.Axe().run(page)
        assert results.violations_count == 0, results.generate_report()


def test_page_without_wasm_or_files_is_a_sentence(browser, address):
    page = browser.new_page()
    page.add_init_script("delete globalThis.WebAssembly")
    page.goto(address)
    page.wait_for_selector("#message.error")
    assert "no WebAssembly" in page.inner_text("#message")
    for missing, text in (("explorer.json", "explorer.json is missing"), ("app.js", "missing")):
        page = browser.new_page()
        page.route(f"**/{missing}", lambda route: route.fulfill(status=404, body=""))
        page.goto(address)
        page.wait_for_selector("#message.error", timeout=120_000)
        assert text in page.inner_text("#message")
        page.close()


def test_page_has_no_errors_on_the_console(page):
    assert page.problems == []
