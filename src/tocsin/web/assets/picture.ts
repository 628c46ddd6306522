/** The picture of a report: made small, drawn on, and redacted here already, before anything is kept or sent.

    The centre redacts again, whoever sends; this keeps sharp pictures off the wire and out of the browser's store. */

import { byId, setText } from "./dom";

/** The working copy's long side; in memory only. */
const LONG_PX = 1280;
/** As `redact.py` has them: a canvas of whole mosaic cells, 96 on its long side, and finer ones where it is marked. */
const COLUMNS = 96;
const CELL_PX = 10;
const DETAIL = 160;
const LATTICES_PX = [1, 2, 4, 8];
const JPEG_QUALITY = 0.85;
/** A touch that hardly moves is no mark. */
const LEAST = 0.03;
const STEP = 0.04;

interface Box {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

export interface Taken {
  picture: ArrayBuffer;
  region?: string;
}

function canvasOf(width: number, height: number): [HTMLCanvasElement, CanvasRenderingContext2D] {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser draws no pictures");
  context.imageSmoothingQuality = "high";
  return [canvas, context];
}

/** Copy a part of `from` over a part of `to`, by way of so many cells. */
function blocks(from: HTMLCanvasElement, to: CanvasRenderingContext2D, x: number, y: number, width: number, height: number, step: number): void {
  const [cells, context] = canvasOf(width / step, height / step);
  context.drawImage(from, x, y, width, height, 0, 0, cells.width, cells.height);
  to.imageSmoothingEnabled = false;
  to.drawImage(cells, 0, 0, cells.width, cells.height, x, y, width, height);
}

/** A span of the canvas in px, drawn inward to whole cells. */
function inward(low: number, high: number, length: number, step: number): [number, number] {
  const first = Math.ceil(Math.floor(low * length + 1e-6) / step) * step;
  const last = Math.floor(Math.min(Math.ceil(high * length - 1e-6), length) / step) * step;
  return [first, Math.max(first, last)];
}

export function redacted(source: HTMLCanvasElement, box: Box | null): HTMLCanvasElement {
  const { width, height } = source;
  const short = (long: number, other: number): number => CELL_PX * Math.max(1, Math.floor((COLUMNS * other) / long));
  const [w, h] = width >= height ? [COLUMNS * CELL_PX, short(width, height)] : [short(height, width), COLUMNS * CELL_PX];
  const [whole, drawn] = canvasOf(w, h);
  drawn.drawImage(source, 0, 0, w, h);
  const [out, context] = canvasOf(w, h);
  blocks(whole, context, 0, 0, w, h, CELL_PX);
  if (!box) return out;
  for (const step of LATTICES_PX) {
    const [x0, x1] = inward(box.x0, box.x1, w, step);
    const [y0, y1] = inward(box.y0, box.y1, h, step);
    if (Math.max(x1 - x0, y1 - y0) / step > DETAIL) continue;
    if (x1 > x0 && y1 > y0) blocks(whole, context, x0, y0, x1 - x0, y1 - y0, step);
    break;
  }
  return out;
}

async function readIn(file: File): Promise<HTMLCanvasElement> {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, LONG_PX / Math.max(bitmap.width, bitmap.height));
  const [canvas, context] = canvasOf(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

const clamp = (share: number): number => Math.min(1, Math.max(0, share));

/** Sets the field up; the answer gives what is to be sent with the report, if anything. */
export function setUpPicture(): { taken: () => Promise<Taken | null>; clear: () => void } {
  const input = byId("picture");
  const board = byId("picture-board");
  const canvas = byId("picture-canvas");
  let source: HTMLCanvasElement | null = null;
  let box: Box | null = null;
  let from: { x: number; y: number } | null = null;

  const show = (): void => {
    if (!source || !(canvas instanceof HTMLCanvasElement)) return;
    // While the hazard is looked for the picture is sharp, on this screen alone; then it is as it is sent.
    const marked = box && !from;
    const picture = marked ? redacted(source, box) : source;
    canvas.width = picture.width;
    canvas.height = picture.height;
    const context = canvas.getContext("2d");
    if (!context) return;
    context.drawImage(picture, 0, 0);
    if (box) {
      const { width, height } = canvas;
      for (const [colour, line] of [["#fff", 6], ["#c4132b", 3]] as const) {
        context.strokeStyle = colour;
        context.lineWidth = line;
        context.strokeRect(box.x0 * width, box.y0 * height, (box.x1 - box.x0) * width, (box.y1 - box.y0) * height);
      }
    }
    setText(byId("picture-tell"), marked ? "This is what is sent: the rest of the picture is a mosaic." : "Drag over the hazard. Without a mark, all of it is sent as a mosaic.");
  };
  const clear = (): void => {
    source = box = from = null;
    if (input instanceof HTMLInputElement) input.value = "";
    board?.toggleAttribute("hidden", true);
  };
  const taken = async (): Promise<Taken | null> => {
    if (!source) return null;
    const out = redacted(source, box);
    const blob = await new Promise<Blob | null>((resolve) => out.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
    if (!blob) return null;
    const region = box && [box.x0, box.y0, box.x1, box.y1].map((share) => share.toFixed(4)).join(",");
    return { picture: await blob.arrayBuffer(), ...(region && { region }) };
  };
  if (!(input instanceof HTMLInputElement) || !board || !(canvas instanceof HTMLCanvasElement)) return { taken, clear };
  setText(byId("picture-hint"), "It becomes a coarse mosaic on this device already, all but the part that you mark.");

  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (!file) return;
    void readIn(file).then(
      (read) => {
        source = read;
        box = null;
        board.hidden = false;
        show();
      },
      () => {
        clear();
        board.hidden = false;
        setText(byId("picture-tell"), "This is no picture that this browser can read. The report goes without one.");
      },
    );
  });
  const at = (event: PointerEvent): { x: number; y: number } => {
    const frame = canvas.getBoundingClientRect();
    return { x: clamp((event.clientX - frame.left) / frame.width), y: clamp((event.clientY - frame.top) / frame.height) };
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!source || !event.isPrimary) return;
    canvas.setPointerCapture(event.pointerId);
    from = at(event);
    box = null;
    show();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    const to = at(event);
    box = { x0: Math.min(from.x, to.x), y0: Math.min(from.y, to.y), x1: Math.max(from.x, to.x), y1: Math.max(from.y, to.y) };
    show();
  });
  const lifted = (): void => {
    if (!from) return;
    from = null;
    if (box && (box.x1 - box.x0 < LEAST || box.y1 - box.y0 < LEAST)) box = null;
    show();
  };
  canvas.addEventListener("pointerup", lifted);
  canvas.addEventListener("pointercancel", lifted);
  canvas.addEventListener("keydown", (event) => {
    const moves: Record<string, [number, number]> = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    const move = moves[event.key];
    if (!source || (event.key !== "Enter" && !(move && box))) return;
    event.preventDefault();
    if (!move || !box) {
      box = { x0: 0.35, y0: 0.35, x1: 0.65, y1: 0.65 };
    } else if (event.shiftKey) {
      box = { ...box, x1: Math.max(box.x0 + LEAST, clamp(box.x1 + move[0])), y1: Math.max(box.y0 + LEAST, clamp(box.y1 + move[1])) };
      if (box.x1 > 1 || box.y1 > 1) box = { x0: 0.35, y0: 0.35, x1: 0.65, y1: 0.65 };
    } else {
      const [width, height] = [box.x1 - box.x0, box.y1 - box.y0];
      const x0 = Math.min(Math.max(0, box.x0 + move[0]), 1 - width);
      const y0 = Math.min(Math.max(0, box.y0 + move[1]), 1 - height);
      box = { x0, y0, x1: Math.min(1, x0 + width), y1: Math.min(1, y0 + height) };
    }
    show();
  });
  byId("picture-again")?.addEventListener("click", () => {
    box = null;
    show();
    canvas.focus();
  });
  byId("picture-none")?.addEventListener("click", () => {
    clear();
    input.focus();
  });
  return { taken, clear };
}
