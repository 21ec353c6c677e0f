// What a model reads in an image: codes or latents, with probabilities and nats.

const GAUSSIAN_ENTROPY = 0.5 * Math.log(2 * Math.PI * Math.E);

/** KL of q from the uniform categories: ln K - H(q). */
export const categoryNats = (q) =>
  q.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), Math.log(q.length));

/** KL of q from a code's prior, at least: no density of this deviation has more entropy than N. */
export function codeNats(prior, mean, deviation) {
  if (prior === "Uniform") return Math.log(2) - GAUSSIAN_ENTROPY - Math.log(deviation);
  return normalNats(mean, deviation);
}

/** KL(N(mean, deviation^2) || N(0, 1)). */
export const normalNats = (mean, deviation) =>
  0.5 * (mean * mean + deviation * deviation - 1) - Math.log(deviation);

/**
 * Reads an image: {groups, values, score}. A group is {name, probabilities, nats}, or {name, mean,
 * deviation, nats, bound} with what is not known left out; values set the controls.
 */
export async function readImage(model, maker, image, noise) {
  const { encode, infer_codes: inferCodes, classify, score } = model.signatures;
  const groups = [], values = {}, numbers = [];
  const category = (name, probabilities) => {
    groups.push({ name, probabilities, nats: categoryNats(probabilities) });
    values[name] = probabilities.indexOf(Math.max(...probabilities));
  };
  if (encode) {
    const { loc, scale, probabilities } = await model.run("encode", { image });
    if (probabilities) category("category", probabilities);
    loc.forEach((mean, i) => {
      const deviation = scale?.[i];
      // The prior of z_i alone: the latent variables of a fitted one are correlated.
      const { center = 0, spread = 1 } = maker?.controls.find(({ name }) => name === `z${i + 1}`) ?? {};
      const nats = scale && normalNats((mean - center) / spread, deviation / spread);
      groups.push({ name: `z${i + 1}`, mean, deviation, nats });
      values[`z${i + 1}`] = mean;
    });
  } else if (inferCodes) {
    const answers = await model.run("infer_codes", { image });
    for (const [name, { prior }] of Object.entries(model.facts.codes)) {
      if (answers[`${name}_probabilities`]) category(name, answers[`${name}_probabilities`]);
      else answers[`${name}_mean`].forEach((mean, i, all) => {
        const deviation = answers[`${name}_stddev`]?.[i];
        const label = all.length > 1 ? `${name}[${i}]` : name;
        groups.push({ name: label, mean, deviation, bound: true, nats: deviation && codeNats(prior, mean, deviation) });
        values[label] = mean;
      });
    }
  } else if (classify) {
    category("class", (await model.run("classify", { image })).probabilities);
  }
  if (score) {
    const given = score.inputs.noise ? { image, noise: noise(score.inputs.noise.shape[0]) } : { image };
    for (const [name, [value]] of Object.entries(await model.run("score", given))) {
      numbers.push({ name, value });
    }
  }
  return { groups, values, numbers };
}

export const canRead = ({ signatures }) =>
  Boolean(signatures.encode || signatures.infer_codes || signatures.classify);

function cell(row, text, value) {
  const place = row.insertCell();
  place.textContent = text;
  if (value !== undefined) {
    place.className = "number";
    place.dataset.value = value;
  }
  return place;
}

/** Writes the answers as tables; every number has its full precision in `data-value`. */
export function showAnswers(place, { groups, numbers }) {
  place.replaceChildren();
  const table = (caption) => {
    const made = place.appendChild(document.createElement("table"));
    made.createCaption().textContent = caption;
    return made.createTBody();
  };
  for (const { name, probabilities, nats } of groups.filter((each) => each.probabilities)) {
    const body = table(`${name}: ${nats.toFixed(3)} of ln ${probabilities.length} = ` +
      `${Math.log(probabilities.length).toFixed(3)} nats`);
    const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
    for (const i of order.slice(0, 5)) {
      const row = body.insertRow();
      row.dataset.name = `${name}_probabilities[${i}]`;
      cell(row, String(i));
      cell(row, probabilities[i].toFixed(4), probabilities[i]);
      const meter = document.createElement("meter");
      meter.value = probabilities[i];
      meter.setAttribute("aria-label", `probability of ${i}`);
      row.insertCell().append(meter);
    }
  }
  const rest = groups.filter((each) => !each.probabilities);
  if (rest.length) {
    const body = table("mean and deviation of each, and its nats");
    for (const { name, mean, deviation, nats, bound } of rest) {
      const row = body.insertRow();
      row.dataset.name = name;
      cell(row, name);
      cell(row, mean.toFixed(3), mean);
      if (deviation !== undefined) cell(row, `± ${deviation.toFixed(3)}`, deviation);
      if (nats !== undefined) cell(row, `${bound ? "≥ " : ""}${nats.toFixed(3)} nats`, nats);
    }
  }
  if (numbers.length) {
    const body = table("score of the image, one draw of z");
    for (const { name, value } of numbers) {
      const row = body.insertRow();
      row.dataset.name = name;
      cell(row, name);
      cell(row, `${value.toFixed(2)} nats`, value);
    }
  }
}
