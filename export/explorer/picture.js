// Pictures: tensors to canvases, and canvases or image files to tensors as the data set has them.

/** Draws tensors of one shape [height, width, channels] in rows of `columns`, on a canvas. */
export function show(canvas, images, [height, width, channels], range, columns = 1) {
  const rows = Math.ceil(images.length / columns);
  if (canvas.width !== columns * width || canvas.height !== rows * height) {
    canvas.width = columns * width;
    canvas.height = rows * height;
  }
  const context = canvas.getContext("2d");
  images.forEach((image, index) => {
    const left = (index % columns) * width, top = Math.floor(index / columns) * height;
    context.putImageData(pixels(image, height, width, channels, range), left, top);
  });
}

function pixels(image, height, width, channels, range) {
  let [low, high] = range ?? [0, 1];
  if (!range) for (const value of image) { low = Math.min(low, value); high = Math.max(high, value); }
  const data = new ImageData(width, height), scale = 255 / (high - low);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) {
      data.data[4 * i + c] = Math.round((image[channels * i + (channels === 3 ? c : 0)] - low) * scale);
    }
    data.data[4 * i + 3] = 255;
  }
  return data;
}

/** Numbers in [0, 1] of a canvas, as {data, height, width, channels}. */
export function numbersOf(canvas, channels) {
  const { data, width, height } =
    canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, canvas.width, canvas.height);
  const found = new Float32Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    const [r, g, b] = data.subarray(4 * i, 4 * i + 3);
    if (channels === 3) found.set([r / 255, g / 255, b / 255], 3 * i);
    else found[i] = (0.299 * r + 0.587 * g + 0.114 * b) / 255;
  }
  return { data: found, height, width, channels };
}

/** White on black with full contrast, whatever a gray photograph has. */
export function normalized(source) {
  const { data, height, width } = source;
  let sum = 0, count = 0, low = 1, high = 0;
  for (let i = 0; i < data.length; i++) {
    const x = i % width, y = Math.floor(i / width);
    if (x === 0 || y === 0 || x === width - 1 || y === height - 1) { sum += data[i]; count++; }
    low = Math.min(low, data[i]);
    high = Math.max(high, data[i]);
  }
  const invert = sum / count > 0.5, scale = 1 / Math.max(high - low, 1e-6);
  return { ...source, data: data.map((v) => (invert ? high - v : v - low) * scale) };
}

/** The mean of the source's pixels under each pixel of a box, scaled to height x width. */
function resized(source, box, height, width) {
  const { data, channels } = source, found = new Float32Array(height * width * channels);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    const top = box.top + (y * box.height) / height, bottom = top + box.height / height;
    const left = box.left + (x * box.width) / width, right = left + box.width / width;
    let area = 0;
    for (let v = Math.floor(top); v < bottom && v < source.height; v++) {
      for (let u = Math.floor(left); u < right && u < source.width; u++) {
        const part = (Math.min(v + 1, bottom) - Math.max(v, top)) *
          (Math.min(u + 1, right) - Math.max(u, left));
        area += part;
        for (let c = 0; c < channels; c++) {
          found[(y * width + x) * channels + c] += part * data[(v * source.width + u) * channels + c];
        }
      }
    }
    for (let c = 0; c < channels; c++) {
      const place = (y * width + x) * channels + c;
      found[place] = Math.min(1, found[place] / (area || 1)); // rounding may exceed 1
    }
  }
  return found;
}

function boundingBox({ data, height, width }) {
  let top = height, bottom = -1, left = width, right = -1;
  for (let i = 0; i < data.length; i++) if (data[i] > 0.1) {
    const x = i % width, y = Math.floor(i / width);
    top = Math.min(top, y); bottom = Math.max(bottom, y);
    left = Math.min(left, x); right = Math.max(right, x);
  }
  return bottom < 0 ? null : { top, left, height: bottom - top + 1, width: right - left + 1 };
}

/**
 * A tensor [height, width, channels] in [0, 1], placed as the data set's images are.
 * "digit": the ink in a box of 20/28 of the side, its center of mass in the middle, as MNIST;
 * "object": the extent fills the image, centered, as Fashion-MNIST; "frame": the middle is cut out.
 * null: there is nothing on the canvas.
 */
export function fitted(source, [height, width, channels], placement) {
  if (placement === "frame") {
    const scale = Math.min(source.height / height, source.width / width);
    const box = { height: scale * height, width: scale * width };
    box.top = (source.height - box.height) / 2;
    box.left = (source.width - box.width) / 2;
    return resized(source, box, height, width);
  }
  const box = boundingBox(source);
  if (!box) return null;
  const side = placement === "digit" ? Math.round((20 / 28) * height) : height;
  const scale = side / Math.max(box.height, box.width);
  const h = Math.max(1, Math.round(box.height * scale)), w = Math.max(1, Math.round(box.width * scale));
  const small = resized(source, box, h, w);
  let y = h / 2, x = w / 2;
  if (placement === "digit") {
    let mass = 0;
    y = x = 0;
    small.forEach((v, i) => { mass += v; y += v * (Math.floor(i / w) + 0.5); x += v * ((i % w) + 0.5); });
    y /= mass;
    x /= mass;
  }
  const top = Math.round(height / 2 - y), left = Math.round(width / 2 - x);
  const found = new Float32Array(height * width);
  small.forEach((v, i) => {
    const v2 = top + Math.floor(i / w), u2 = left + (i % w);
    if (v2 >= 0 && v2 < height && u2 >= 0 && u2 < width) found[v2 * width + u2] = v;
  });
  return found;
}
