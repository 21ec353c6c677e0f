// The page: presets, controls, the plane, reading, and what lies between two pictures.

import { Drawing } from "./drawing.js";
import { Model, openRuntime } from "./litert.js";
import { show } from "./picture.js";
import {
  between, drawn, inputsOf, limitsOf, makerOf, middle, pythonOf, rounded,
} from "./points.js";
import { standardNormal } from "./random.js";
import { canRead, readImage, showAnswers } from "./reading.js";

const $ = (id) => document.getElementById(id);
const CELLS = 11, STEPS = 9;

const state = { model: null, maker: null, card: {}, values: {}, seed: 1, ends: {}, read: null, image: null };
let drawing, planeNumber = 0, loadNumber = 0;
const busy = new Map();

/** Runs a piece of work; while it runs, only the last of further calls waits. */
async function latest(key, work) {
  if (busy.has(key)) { busy.set(key, work); return; }
  busy.set(key, null);
  try {
    await work();
  } catch (error) {
    window.say(`The model cannot be run: ${error.message}`, true);
  }
  const next = busy.get(key);
  busy.delete(key);
  if (next) await latest(key, next);
}

const imageFacts = () => {
  const { signatures } = state.model;
  return Object.values(signatures).map((each) => each.inputs.image ?? each.outputs.image).find(Boolean);
};
const make = async (inputs) => (await state.model.run(state.maker.signature, inputs)).image;
const inputs = (values = state.values) => inputsOf(state.maker, values, state.seed);

// Loading

async function start() {
  try {
    await openRuntime();
    drawing = new Drawing($("drawing"), $("image"), $("color-label"), () => latest("read", readDrawing),
      (text) => window.say(text, true));
    connect();
    const answer = await fetch("explorer.json");
    if (!answer.ok) throw new Error("explorer.json is missing: write the page again by infomodels explore.");
    const { presets } = await answer.json();
    for (const each of presets) $("preset").add(new Option(each.name, each.name));
    $("preset").addEventListener("change", () =>
      choose(presets.find((each) => each.name === $("preset").value)));
    await choose(presets[0]);
  } catch (error) {
    window.say(error.message, true);
  }
}

async function choose(card) {
  window.say(`Loading ${card.name} ...`);
  const answer = await fetch(card.file).catch(() => ({ ok: false }));
  if (!answer.ok) {
    window.say(`${card.file} is missing: write the page again by infomodels explore.`, true);
    return;
  }
  await load(new Uint8Array(await answer.arrayBuffer()), card);
}

async function load(bytes, card) {
  const number = ++loadNumber;
  let model;
  try {
    model = await Model.load(bytes);
  } catch (error) {
    if (number === loadNumber) window.say(`${card.name} cannot be opened. ${error.message}`, true);
    return;
  }
  if (number !== loadNumber) { model.close(); return; }
  state.model?.close();
  const maker = makerOf(model);
  Object.assign(state, { model, card, maker, seed: 1, ends: {}, read: null, image: null });
  state.values = maker ? middle(maker) : {};
  showCard();
  buildControls();
  $("main").hidden = false;
  drawing.clear();
  $("answers").replaceChildren();
  $("use").disabled = true;
  for (const id of ["strip", "seen", "again"]) $(id).width = $(id).height = 1;
  window.say("");
  await refresh();
}

function showCard() {
  const { facts } = state.model, { card } = state;
  const shape = imageFacts().shape;
  $("description").textContent = [
    `${facts.model}${card.description ? `: ${card.description}` : ""}`, card.headline,
    `${shape[0]}x${shape[1]}x${shape[2]} pixels${card.dataset ? ` of ${card.dataset}` : ""}`,
    card.parameters && `${card.parameters.toLocaleString("en")} parameters`,
    facts.license ?? card.license,
  ].filter(Boolean).join(" · ");
  const body = $("figures").tBodies[0];
  body.replaceChildren();
  for (const [name, { value, unit, standard_error: error }] of Object.entries(card.figures ?? {})) {
    const row = body.insertRow(), head = document.createElement("th");
    head.scope = "row";
    head.textContent = name.replaceAll("_", " ");
    row.append(head);
    const place = row.insertCell();
    place.className = "number";
    place.textContent = Number(value.toPrecision(4)) + (error ? ` ± ${Number(error.toPrecision(2))}` : "");
    row.insertCell().textContent = unit ?? "";
  }
  $("figures").parentElement.hidden = !body.rows.length;
  $("download").hidden = !card.file;
  if (card.file) $("download").href = card.file;
  $("make").hidden = $("between").hidden = $("plane").hidden = $("take").hidden = !state.maker;
  $("plane").hidden ||= state.maker.controls.length < 2;
  $("read").hidden = !canRead(state.model);
  $("color-label").hidden = shape[2] !== 3;
  const zoom = Math.max(1, Math.round(280 / shape[1]));  // whole, so that an image of that size stays as it is
  Object.assign($("drawing"), { width: zoom * shape[1], height: zoom * shape[0] });
  const reconstructs = "reconstruct" in state.model.signatures;
  $("again-figure").hidden = !state.maker;
  $("again-caption").textContent = reconstructs ? "reconstructed" : "generated with these codes";
  $("hold-label").hidden = !state.maker?.noiseDim;
  $("noise").textContent = state.maker?.noiseDim ? "Draw new noise"
    : `Draw from the prior${state.maker?.prior ? "" : " N(0, 1)"}`;
}

// Controls

function buildControls() {
  const place = $("controls");
  place.replaceChildren();
  for (const id of ["across", "up"]) $(id).replaceChildren();
  const controls = state.maker?.controls ?? [];
  for (const control of controls) {
    place.append(control.kind === "category" ? choiceOf(control) : sliderOf(control));
    for (const id of ["across", "up"]) $(id).add(new Option(control.name, control.name));
  }
  const continuous = controls.filter((each) => each.kind !== "category");
  const pair = continuous.length > 1 ? continuous : controls;
  if (pair.length > 1) [$("across").value, $("up").value] = [pair[0].name, pair[1].name];
}

function choiceOf({ name, size }) {
  const set = document.createElement("fieldset");
  set.append(Object.assign(document.createElement("legend"), { textContent: name }));
  const row = set.appendChild(document.createElement("div"));
  for (let i = 0; i < size; i++) {
    const label = row.appendChild(document.createElement("label"));
    label.className = "choice";
    const input = Object.assign(document.createElement("input"), { type: "radio", name, value: i });
    input.addEventListener("change", () => moved({ [name]: i }));
    label.append(input, Object.assign(document.createElement("span"), { textContent: i }));
  }
  return set;
}

function sliderOf(control) {
  const row = document.createElement("div"), [min, max] = limitsOf(control);
  row.className = "slider";
  const label = Object.assign(document.createElement("label"), { textContent: control.name });
  const input = Object.assign(document.createElement("input"),
    { type: "range", min, max, step: 0.01 * (control.spread ?? 1), id: `value-${control.name}` });
  label.htmlFor = input.id;
  input.addEventListener("input", () => moved({ [control.name]: Number(input.value) }));
  row.append(label, input, document.createElement("output"));
  return row;
}

/** Codes were moved: unless it is held, the noise is drawn anew. */
function moved(values) {
  Object.assign(state.values, values);
  if (state.maker.noiseDim && !$("hold").checked) state.seed = newSeed();
  return refresh();
}

const newSeed = () => 1 + Math.floor(Math.random() * 9999);

function showValues() {
  for (const { name, kind } of state.maker.controls) {
    if (kind === "category") {
      for (const input of document.getElementsByName(name)) input.checked = Number(input.value) === state.values[name];
    } else {
      const input = $(`value-${name}`);
      input.value = state.values[name];
      input.nextElementSibling.value = state.values[name].toFixed(2);
    }
  }
  $("python").textContent = pythonOf(state.maker, `${state.card.name}.tflite`, state.values, state.seed);
}

/** Shows everything that the values make. */
async function refresh() {
  if (!state.maker) return;
  showValues();
  showMarker();
  await latest("picture", async () => {
    const { shape, range } = imageFacts();
    state.image = await make(inputs());
    show($("picture"), [state.image], shape, range);
  });
  latest("plane", showPlane);
}

// The plane

const control = (id) => state.maker.controls.find((each) => each.name === $(id).value);
const cells = (each) => (each.kind === "category" ? each.size : CELLS);

function valueAt(each, part) {
  const [low, high] = limitsOf(each);
  if (each.kind === "category") return Math.min(each.size - 1, Math.floor(part * each.size));
  // The middles of the outer cells are the limits.
  const place = (part * CELLS - 0.5) / (CELLS - 1);
  return rounded(low + (high - low) * Math.min(1, Math.max(0, place)));
}

function partOf(each) {
  const value = state.values[each.name];
  if (each.kind === "category") return (value + 0.5) / each.size;
  const [low, high] = limitsOf(each);
  const place = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return (place * (CELLS - 1) + 0.5) / CELLS;
}

function showMarker() {
  if ($("plane").hidden) return;
  $("marker").style.left = `${100 * partOf(control("across"))}%`;
  $("marker").style.top = `${100 * (1 - partOf(control("up")))}%`;
}

/** The grid, which is drawn again only if something other than its two codes has changed. */
async function showPlane() {
  if ($("plane").hidden) return;
  const [x, y] = [control("across"), control("up")];
  const others = { ...state.values, [x.name]: 0, [y.name]: 0 };
  const key = JSON.stringify([loadNumber, x.name, y.name, others, state.maker.noiseDim && state.seed]);
  if ($("grid").dataset.key === key) return;
  const number = ++planeNumber, images = [], columns = cells(x), rows = cells(y);
  for (let row = rows - 1; row >= 0; row--) for (let column = 0; column < columns; column++) {
    others[x.name] = valueAt(x, (column + 0.5) / columns);
    others[y.name] = valueAt(y, (row + 0.5) / rows);
    images.push(await make(inputs(others)));
    if (number !== planeNumber) return;
  }
  const { shape, range } = imageFacts();
  show($("grid"), images, shape, range, columns);
  $("grid").dataset.key = key;
}

function pointAt(event) {
  const box = $("grid").getBoundingClientRect();
  const part = (value) => Math.min(0.9999, Math.max(0, value));
  moved({
    [$("across").value]: valueAt(control("across"), part((event.clientX - box.left) / box.width)),
    [$("up").value]: valueAt(control("up"), part(1 - (event.clientY - box.top) / box.height)),
  });
}

function step(event) {
  const [id, sign] = { ArrowLeft: ["across", -1], ArrowRight: ["across", 1], ArrowDown: ["up", -1], ArrowUp: ["up", 1] }[event.key] ?? [];
  if (!id) return;
  event.preventDefault();
  const each = control(id), [low, high] = limitsOf(each);
  const size = each.kind === "category" ? 1 : (high - low) / 40;
  moved({ [each.name]: Math.min(high, Math.max(low, rounded(state.values[each.name] + sign * size))) });
}

// Reading

const placement = () => {
  const [height, width, channels] = imageFacts().shape;
  if (height !== 28 || width !== 28 || channels !== 1) return "frame";
  return /fashion/.test(`${state.card.dataset} ${state.card.name}`) ? "object" : "digit";
};

function readDrawing() {
  const { shape, range } = imageFacts();
  const image = drawing.tensor(shape, placement());
  if (!image) return;
  const [low, high] = range ?? [0, 1];
  return read(image.map((value) => low + (high - low) * value));
}

async function read(image) {
  const { model, maker } = state, { shape, range } = imageFacts();
  const found = await readImage(model, maker, image, (size) => standardNormal(state.seed, size));
  if (model !== state.model) return;
  window.say("");
  state.read = { image, values: found.values };
  show($("seen"), [image], shape, range);
  showAnswers($("answers"), found);
  if (!maker) return;
  $("use").disabled = false;
  const values = { ...state.values, ...roundedAll(found.values) };
  const again = model.signatures.reconstruct
    ? (await model.run("reconstruct", { image })).image : await make(inputs(values));
  if (model === state.model) show($("again"), [again], shape, range);
}

const roundedAll = (values) => Object.fromEntries(Object.entries(values).map(([k, v]) => [k, rounded(v)]));

// Between

async function keep(end) {
  state.ends[end] = inputs();
  const { a, b } = state.ends;
  const { shape, range } = imageFacts(), images = [];
  for (let i = 0; i < STEPS; i++) images.push(await make(between(a ?? b, b ?? a, i / (STEPS - 1))));
  show($("strip"), images, shape, range, STEPS);
}

function connect() {
  $("noise").addEventListener("click", () => {
    state.seed = newSeed();
    if (!state.maker.noiseDim) state.values = drawn(state.maker, state.seed);
    refresh();
  });
  $("reset").addEventListener("click", () => {
    Object.assign(state, { values: middle(state.maker), seed: 1 });
    refresh();
  });
  $("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText($("python").textContent);
      $("copy").textContent = "Copied";
    } catch {
      getSelection().selectAllChildren($("python"));
      $("copy").textContent = "Selected: press Ctrl-C";
    }
    setTimeout(() => { $("copy").textContent = "Copy"; }, 2000);
  });
  for (const id of ["across", "up"]) $(id).addEventListener("change", () => {
    const other = id === "across" ? "up" : "across";
    if ($(id).value === $(other).value) {
      $(other).value = state.maker.controls.find(({ name }) => name !== $(id).value).name;
    }
    refresh();
  });
  $("pad").addEventListener("pointerdown", (event) => { $("pad").setPointerCapture(event.pointerId); pointAt(event); });
  $("pad").addEventListener("pointermove", (event) => event.buttons && pointAt(event));
  $("pad").addEventListener("keydown", step);
  $("clear").addEventListener("click", () => { drawing.clear(); $("answers").replaceChildren(); });
  $("take").addEventListener("click", () => latest("read", () => read(state.image)));
  $("use").addEventListener("click", () => moved(roundedAll(state.read.values)));
  $("keep-a").addEventListener("click", () => latest("strip", () => keep("a")));
  $("keep-b").addEventListener("click", () => latest("strip", () => keep("b")));
  $("file").addEventListener("change", async () => {
    const file = $("file").files[0];
    if (file) await load(new Uint8Array(await file.arrayBuffer()), { name: file.name.replace(/\.tflite$/, "") });
  });
}

/** For tests and the curious: `explorer.run("generate", {...})`, `explorer.state.values`. */
window.explorer = {
  state, inputs, readTensor: (image) => read(Float32Array.from(image)),
  run: (signature, arrays) => state.model.run(signature, arrays),
};

start();
