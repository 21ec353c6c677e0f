// What a person moves: the codes or latents of a model, and the tensors that they become.

import { standardNormal } from "./random.js";

const LIMITS = { uniform: [-1, 1], normal: [-3, 3] };

/** How pictures are made of a model: {signature, noiseDim, controls}, or null for a classifier. */
export function makerOf(model) {
  const { decode, encode, generate } = model.signatures;
  if (decode) {
    // z is [category, continuous latents], as the encoder's outputs are.
    const categories = encode.outputs.probabilities?.shape[0] ?? 0;
    const controls = categories ? [{ name: "category", kind: "category", size: categories }] : [];
    const prior = model.facts.prior;  // a fitted one; without it N(0, I)
    for (let i = 0; i < decode.inputs.z.shape[0] - categories; i++) {
      const own = prior && { center: rounded(prior.loc[i]), spread: Math.hypot(...prior.scale_tril[i]) };
      controls.push({ name: `z${i + 1}`, kind: "normal", ...own });
    }
    return { signature: "decode", noiseDim: 0, controls, prior };
  }
  if (!generate) return null;
  const controls = Object.entries(generate.inputs).filter(([name]) => name !== "noise")
    .flatMap(([name, { kind, shape }]) => kind === "category"
      ? [{ name, kind, size: shape[0] }]
      : Array.from({ length: shape[0] }, (_, i) => (
          { name: shape[0] > 1 ? `${name}[${i}]` : name, kind, code: name, index: i })));
  return { signature: "generate", noiseDim: generate.inputs.noise?.shape[0] ?? 0, controls };
}

export const limitsOf = ({ kind, size, center = 0, spread = 1 }) =>
  kind === "category" ? [0, size - 1] : LIMITS[kind].map((end) => center + spread * end);

export const middle = (maker) =>
  Object.fromEntries(maker.controls.map(({ name, center = 0 }) => [name, center]));

/** Values drawn from the prior, N(0, I) or a fitted one, and uniform categories, for a seed. */
export function drawn(maker, seed) {
  let draws = standardNormal(seed, maker.controls.length + 1);
  if (maker.prior) {
    const { loc, scale_tril: factor } = maker.prior;
    draws = loc.map((mean, i) => factor[i].reduce((sum, v, j) => sum + v * draws[j], mean));
  }
  return Object.fromEntries(maker.controls.map(({ name, kind, size }, i) => [name,
    kind === "category" ? Math.abs(Math.floor(draws[i] * 1e4)) % size : rounded(draws[i])]));
}

export const rounded = (value) => Number(value.toFixed(4));

const oneHot = (size, index) => Float32Array.from({ length: size }, (_, i) => Number(i === index));

/** The inputs of the maker's signature, by name. */
export function inputsOf(maker, values, seed) {
  if (maker.signature === "decode") {
    const parts = maker.controls.map(({ name, kind, size }) =>
      kind === "category" ? [...oneHot(size, values[name])] : [values[name]]);
    return { z: Float32Array.from(parts.flat()) };
  }
  const inputs = maker.noiseDim ? { noise: standardNormal(seed, maker.noiseDim) } : {};
  for (const { name, kind, size, code, index } of maker.controls) {
    if (kind === "category") inputs[name] = oneHot(size, values[name]);
    else inputs[code] = Float32Array.from([...(index ? inputs[code] : []), values[name]]);
  }
  return inputs;
}

/** Inputs on the way from a to b; noise keeps its length on the way, other inputs go straight. */
export function between(a, b, t) {
  return Object.fromEntries(Object.keys(a).map((name) => {
    let [from, to] = [1 - t, t];
    if (name === "noise") {
      const dot = a[name].reduce((sum, v, i) => sum + v * b[name][i], 0);
      const angle = Math.acos(Math.min(1, Math.max(-1, dot / (Math.hypot(...a[name]) * Math.hypot(...b[name])))));
      if (angle > 1e-3) {
        from = Math.sin((1 - t) * angle) / Math.sin(angle);
        to = Math.sin(t * angle) / Math.sin(angle);
      }
    }
    return [name, a[name].map((v, i) => from * v + to * b[name][i])];
  }));
}

/** The lines of Python that make the same picture from the same file. */
export function pythonOf(maker, file, values, seed) {
  const lines = ["import numpy as np", "from keras_infomodels.export.runtime import Runtime", ""];
  const model = `Runtime("${file}")`;
  const eye = ({ size, name }) => `np.eye(${size}, dtype="float32")[[${values[name]}]]`;
  const continuous = (controls) => `np.float32([[${controls.map(({ name }) => values[name]).join(", ")}]])`;
  if (maker.signature === "decode") {
    const [first, ...rest] = maker.controls;
    const z = first.kind !== "category" ? continuous(maker.controls)
      : rest.length ? `np.hstack([${eye(first)}, ${continuous(rest)}])` : eye(first);
    return [...lines, `image = ${model}.decode(${z})`].join("\n");
  }
  const given = [];
  if (maker.noiseDim) {
    lines.push(`noise = np.random.RandomState(${seed}).standard_normal((1, ${maker.noiseDim}))`);
    given.push('noise=noise.astype("float32")');
  }
  const codes = new Map();
  for (const control of maker.controls) {
    const code = control.code ?? control.name;
    codes.set(code, [...(codes.get(code) ?? []), control]);
  }
  for (const [code, controls] of codes) {
    given.push(`${code}=${controls[0].kind === "category" ? eye(controls[0]) : continuous(controls)}`);
  }
  return [...lines, `image = ${model}.run(`, '    "generate",', ...given.map((each) => `    ${each},`),
    ')["image"]'].join("\n");
}
