// A canvas to draw on, and images that are dropped on it or chosen.

import { fitted, normalized, numbersOf } from "./picture.js";

export class Drawing {
  /** `changed` is called after each change; `failed` with a sentence where a file is no image. */
  constructor(canvas, file, color, changed, failed) {
    Object.assign(this, { canvas, color, changed, failed, isPhoto: false, last: null });
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    canvas.addEventListener("pointerdown", (event) => {
      if (this.isPhoto) this.clear();
      canvas.setPointerCapture(event.pointerId);
      this.#line(event);
    });
    canvas.addEventListener("pointermove", (event) => this.last && this.#line(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => { this.last = null; });
    }
    file.addEventListener("change", () => file.files[0] && this.#open(file.files[0]));
    canvas.addEventListener("dragover", (event) => { event.preventDefault(); canvas.classList.add("over"); });
    canvas.addEventListener("dragleave", () => canvas.classList.remove("over"));
    canvas.addEventListener("drop", (event) => {
      event.preventDefault();
      canvas.classList.remove("over");
      if (event.dataTransfer.files[0]) this.#open(event.dataTransfer.files[0]);
    });
    this.clear();
  }

  clear() {
    this.isPhoto = false;
    this.context.fillStyle = "#000";
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** The image as the model takes it, in [0, 1]; null where nothing is drawn. */
  tensor(shape, placement) {
    const source = numbersOf(this.canvas, shape[2]);
    const gray = shape[2] === 1 && placement !== "frame";
    if (source.data.every((value) => value === source.data[0])) return null;
    return fitted(gray ? normalized(source) : source, shape, placement);
  }

  #line(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.canvas.width;
    const y = ((event.clientY - box.top) / box.height) * this.canvas.height;
    const { context } = this;
    context.strokeStyle = this.color.hidden ? "#fff" : this.color.querySelector("input").value;
    context.lineWidth = 22;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...(this.last ?? [x, y]));
    context.lineTo(x, y);
    context.stroke();
    this.last = [x, y];
    this.changed();
  }

  async #open(file) {
    try {
      const image = await createImageBitmap(file);
      this.clear();
      const scale = Math.max(this.canvas.width / image.width, this.canvas.height / image.height);
      const [w, h] = [image.width * scale, image.height * scale];
      this.context.imageSmoothingEnabled = scale < 1;
      this.context.drawImage(image, (this.canvas.width - w) / 2, (this.canvas.height - h) / 2, w, h);
      this.isPhoto = true;
      this.changed();
    } catch {
      this.failed(`${file.name} is no image that this browser reads; choose a PNG or JPEG.`);
    }
  }
}
