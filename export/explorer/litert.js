// Models in the browser: a `.tflite` of keras-infomodels with a batch of one, run by LiteRT.js.

let litert = null;

/** Loads the runtime once. Throws an Error whose message is a sentence. */
export async function openRuntime() {
  if (typeof WebAssembly !== "object") {
    throw new Error("This browser has no WebAssembly, which runs the models; use another one.");
  }
  try {
    litert = await import("@litertjs/core");
    await litert.loadLiteRt("./runtime/core/wasm/litert_wasm_compat_internal.js");
  } catch (error) {
    throw new Error(`The runtime cannot be loaded (${error.message || error}). Write the page again ` +
      "by infomodels explore, or use another browser.");
  }
}

/** The JSON that the file's writer put into it. Throws an Error where there is none. */
export function metadataOf(bytes) {
  const text = new TextDecoder("latin1").decode(bytes);
  const start = text.search(/\{"sha256": "[0-9a-f]{64}", "format": /);
  if (start < 0) {
    throw new Error("This is no .tflite of keras-infomodels; make one by infomodels export.");
  }
  let depth = 0, quoted = false;
  for (let i = start; i < text.length; i++) {
    const letter = text[i];
    if (quoted) {
      if (letter === "\\") i++;
      else if (letter === '"') quoted = false;
    } else if (letter === '"') quoted = true;
    else if (letter === "{") depth++;
    else if (letter === "}" && --depth === 0) return JSON.parse(text.slice(start, i + 1));
  }
  throw new Error("This .tflite is damaged; get it again.");
}

/** Whether the checksum within the file is that of its bytes; true where the browser cannot tell. */
async function isWhole(bytes, digest) {
  if (!globalThis.crypto?.subtle) return true;
  const text = new TextDecoder("latin1").decode(bytes);
  const place = text.indexOf(`{"sha256": "${digest}"`) + '{"sha256": "'.length;
  const blank = bytes.slice();
  blank.fill(48, place, place + 64);
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", blank));
  return Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("") === digest;
}

export class Model {
  /** Compiles the bytes of a file. Throws an Error whose message is a sentence. */
  static async load(bytes) {
    const facts = metadataOf(bytes);
    if (!(await isWhole(bytes, facts.sha256))) {
      throw new Error("This .tflite is damaged: its checksum differs; get it again.");
    }
    if (facts.batch_size !== 1) {
      throw new Error("The browser needs a file with a batch of one: give this one to infomodels " +
        "explore, or export it again with --batch-size 1.");
    }
    const tensors = Object.values(facts.signatures)
      .flatMap((each) => [...Object.values(each.inputs), ...Object.values(each.outputs)]);
    if (tensors.some((each) => each.dtype !== "float32")) {
      throw new Error("The page takes files with float32 inputs and outputs: export without --uint8 " +
        "and --int8-io.");
    }
    const model = new Model();
    model.facts = facts;
    model.compiled = await litert.loadAndCompile(bytes, { accelerator: "wasm" });
    model.last = Promise.resolve();
    return model;
  }

  get signatures() { return this.facts.signatures; }

  /** Runs a signature on Float32Arrays by name; calls wait for each other. */
  run(signature, arrays) {
    const answer = this.last.then(() => this.#run(signature, arrays));
    this.last = answer.catch(() => {});
    return answer;
  }

  async #run(signature, arrays) {
    const facts = this.signatures[signature];
    const given = {};
    for (const [name, { shape }] of Object.entries(facts.inputs)) {
      given[name] = new litert.Tensor(Float32Array.from(arrays[name]), [1, ...shape]);
    }
    const outputs = await this.compiled.run(signature, given);
    const found = {};
    for (const [name, tensor] of Object.entries(outputs)) {
      found[name] = Float32Array.from(tensor.toTypedArray());
      tensor.delete();
    }
    for (const tensor of Object.values(given)) tensor.delete();
    return found;
  }

  async close() {
    await this.last;
    this.compiled.delete();
  }
}
