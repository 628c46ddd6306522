/** Clicking the horizon and landmarks in a camera's picture. The form's numbers are what counts; this fills them in. */

import { all, byId, setText } from "./dom";
import { showStill } from "./still";

const SVG = "http://www.w3.org/2000/svg";
const GRIP_PX = 18; // so near to a dot the pointer takes hold of it
const PLACES = 4;

type Share = [number, number];

/** A point that is clicked: its two fields, and the number of its landmark, 0 for an end of the horizon. */
interface Dot {
  x: HTMLInputElement;
  y: HTMLInputElement;
  mark: number;
}

const form = byId("calibrate") as HTMLFormElement | null;
const board = document.querySelector<SVGSVGElement>("#board");
const clicked = document.querySelector<SVGGElement>("#clicked");
const tools = byId("cal-tools");
const rows = all<HTMLFieldSetElement>(document, ".cal-mark");

let mode: "horizon" | "mark" | "" = "";
let held: Dot | null = null;
let unsaved = false;

const field = (name: string): HTMLInputElement => byId(name) as HTMLInputElement;
const ends: Dot[] = form ? [1, 2].map((end) => ({ x: field(`h${end}x`), y: field(`h${end}y`), mark: 0 })) : [];
const marks: Dot[] = rows.map((row) => {
  const mark = Number(row.dataset["mark"]);
  return { x: field(`x-${mark}`), y: field(`y-${mark}`), mark };
});

function placeOf({ x, y }: Dot): Share | null {
  if (!x.value.trim() || !y.value.trim()) return null;
  const at: Share = [Number(x.value.replace(",", ".")), Number(y.value.replace(",", "."))];
  return at.every((one) => one >= 0 && one <= 1) ? at : null;
}

function put(dot: Dot, [x, y]: Share): void {
  dot.x.value = String(Number(x.toFixed(PLACES)));
  dot.y.value = String(Number(y.toFixed(PLACES)));
  changed();
}

function changed(): void {
  unsaved = true;
  // What was worked out from other clicks is not true any more.
  byId("worked-out")?.replaceChildren();
  draw();
}

function made(name: string, attributes: Record<string, string>, text = ""): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

function draw(): void {
  if (!board || !clicked) return;
  const { width, height } = board.viewBox.baseVal;
  clicked.replaceChildren();
  const onBoard = ([x, y]: Share): string => `${x * width} ${y * height}`;
  const [first, second] = ends.map(placeOf);
  if (first && second) clicked.append(made("path", { class: "cal-line", d: `M${onBoard(first)}L${onBoard(second)}` }));
  for (const dot of [...ends, ...marks]) {
    const at = placeOf(dot);
    if (!at) continue;
    // A line without length: with round caps and an unscaled stroke it is a dot, however the board is stretched.
    const d = `M${onBoard(at)}h0`;
    clicked.append(made("path", { class: "cal-dot back", d }), made("path", { class: `cal-dot${dot.mark ? "" : " end"}`, d }));
    if (dot.mark) clicked.append(made("text", { class: "cal-number", x: `${at[0] * width}`, y: `${at[1] * height}`, dx: "14", dy: "-8" }, `${dot.mark}`));
  }
  // One empty row is enough to go on.
  let spare = 1;
  for (const row of rows) row.hidden = isEmpty(row) && spare-- <= 0;
}

function isEmpty(row: HTMLFieldSetElement): boolean {
  return !all<HTMLInputElement>(row, "input").some((input) => input.value.trim());
}

function tell(): void {
  if (!tools) return;
  for (const button of all<HTMLButtonElement>(tools, "[data-cal]")) {
    button.hidden = (button.dataset["cal"] === "leave") !== (mode !== "");
  }
  form?.classList.toggle("drawing", mode !== "");
  const say = {
    "": [...ends, ...marks].some(placeOf) ? "Drag a point to move it." : "",
    horizon: nextEnd() === ends[1] ? "And a second point, far from the first." : "Click a point of the horizon.",
    mark: nextMark() ? "Click a landmark in the picture." : "All lines are in use: work it out, and there are more.",
  }[mode];
  setText(byId("cal-say"), say);
}

function nextEnd(): Dot | undefined {
  return ends.find((end) => !placeOf(end));
}

function nextMark(): Dot | undefined {
  return marks.find((mark) => !placeOf(mark));
}

function begin(what: string | undefined): void {
  mode = what === "horizon" || what === "mark" ? what : "";
  if (mode === "horizon" && !nextEnd()) for (const { x, y } of ends) x.value = y.value = "";
  draw();
  tell();
}

function pointerAt(event: PointerEvent): Share {
  const box = (board as SVGSVGElement).getBoundingClientRect();
  const share = (value: number): number => Math.min(1, Math.max(0, value));
  return [share((event.clientX - box.left) / box.width), share((event.clientY - box.top) / box.height)];
}

function under(event: PointerEvent): Dot | null {
  const box = (board as SVGSVGElement).getBoundingClientRect();
  const away = (dot: Dot): number => {
    const at = placeOf(dot);
    return at ? Math.hypot(event.clientX - box.left - at[0] * box.width, event.clientY - box.top - at[1] * box.height) : Infinity;
  };
  const nearest = [...ends, ...marks].sort((one, other) => away(one) - away(other))[0];
  return nearest && away(nearest) <= GRIP_PX ? nearest : null;
}

function onDown(event: PointerEvent): void {
  if (event.button !== 0) return;
  event.preventDefault();
  if (mode === "") {
    held = under(event);
    if (held) board?.setPointerCapture(event.pointerId);
    return;
  }
  const dot = mode === "horizon" ? nextEnd() : nextMark();
  if (dot) put(dot, pointerAt(event));
  if (mode === "mark" || !nextEnd()) mode = "";
  tell();
  if (dot?.mark) byId(`name-${dot.mark}`)?.focus({ preventScroll: true });
}

function onMove(event: PointerEvent): void {
  if (held) put(held, pointerAt(event));
}

function empty(row: HTMLFieldSetElement): void {
  for (const input of all<HTMLInputElement>(row, "input")) input.value = "";
  changed();
  tell();
}

/** Until somebody says so, the picture's size is that of its mosaic: only its ratio counts. */
function takeSize(): void {
  const still = byId("still") as HTMLImageElement | null;
  const width = field("width_px");
  if (!still || !form || !board || form.dataset["assumed"] === undefined) return;
  const take = (): void => {
    if (!still.naturalWidth) return;
    delete form.dataset["assumed"];
    field("height_px").value = String(Math.round((Number(width.value) * still.naturalHeight) / still.naturalWidth));
    board.setAttribute("viewBox", `0 0 1000 ${Math.round((1000 * still.naturalHeight) / still.naturalWidth)}`);
    draw();
  };
  still.addEventListener("load", take, { once: true });
  if (still.complete) take();
}

if (form && board && tools) {
  tools.hidden = false;
  tools.addEventListener("click", (event) => begin(event.target instanceof HTMLElement ? event.target.dataset["cal"] : undefined));
  board.addEventListener("pointerdown", onDown);
  board.addEventListener("pointermove", onMove);
  for (const name of ["pointerup", "pointercancel"]) board.addEventListener(name, () => (held = null));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && mode) begin("");
  });
  for (const row of rows) {
    const away = document.createElement("button");
    away.type = "button";
    away.className = "quiet";
    away.textContent = "Take out";
    away.setAttribute("aria-label", `Take out landmark ${row.dataset["mark"] ?? ""}`);
    away.addEventListener("click", () => empty(row));
    row.querySelector(".cal-grid")?.append(away);
  }
  form.addEventListener("input", changed);
  for (const name of ["width_px", "height_px"]) field(name).addEventListener("input", () => delete form.dataset["assumed"]);
  form.addEventListener("submit", () => (unsaved = false));
  window.addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });
  unsaved = form.dataset["unsaved"] !== undefined;
  const url = form.dataset["still"];
  if (url) void showStill(url, takeSize);
  draw();
  tell();
}
