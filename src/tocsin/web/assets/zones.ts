/** Drawing masks and ignore zones. The form's text is what is saved; this draws it, and writes it. */

import { all, byId, setText } from "./dom";
import { showStill } from "./still";

type Vertex = [number, number];
type Kind = "mask" | "ignore";

interface Zone {
  kind: Kind;
  hazards: string[];
  points: Vertex[];
}

const SVG = "http://www.w3.org/2000/svg";
const SIZE = 1000; // the board's own units, each way
const NEAR_PX = 14; // a click so near to the first point closes the shape
const MOST_POINTS = 64;
const ROWS = 400; // lines on which the masked share is measured

const form = byId("zones") as HTMLFormElement | null;
const text = byId("zones-text") as HTMLTextAreaElement | null;
const board = document.querySelector<SVGSVGElement>("#board");
const own = document.querySelector<SVGGElement>("#own");
const list = byId("zone-list");
const tools = byId("draw-tools");

let zones: Zone[] = [];
/** Lines of the text that are no zone: kept as they are, for the centre to say what is wrong. */
let others: string[] = [];
let open: Zone | null = null;
let chosen = -1;
let moved: { zone: Zone; at: number } | null = null;
let unsaved = false;

function read(value: string): void {
  zones = [];
  others = [];
  for (const line of value.split("\n")) {
    const zone = zoneIn(line);
    if (zone) zones.push(zone);
    else if (line.trim()) others.push(line);
  }
}

function zoneIn(line: string): Zone | null {
  const words = line.trim().split(/\s+/);
  const kind = words.shift();
  if (kind !== "mask" && kind !== "ignore") return null;
  const hazards = kind === "ignore" && /^[a-z]/.test(words[0] ?? "") ? (words.shift() ?? "").split(",").filter(Boolean) : [];
  const points = words.map((word) => word.split(",").map(Number));
  if (points.length < 3 || !points.every((point) => point.length === 2 && point.every(Number.isFinite))) return null;
  return { kind, hazards, points: points as Vertex[] };
}

function write(): void {
  const lines = zones.map(({ kind, hazards, points }) => [kind, ...(kind === "ignore" ? [hazards.join(",")] : []), ...points.map((point) => point.join(","))].filter(Boolean).join(" "));
  if (text) text.value = [...lines, ...others].join("\n");
  unsaved = true;
}

function made<K extends keyof SVGElementTagNameMap>(name: K, attributes: Record<string, string>): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

const onBoard = ([x, y]: Vertex): string => `${x * SIZE},${y * SIZE}`;

function draw(): void {
  if (!own) return;
  own.replaceChildren();
  zones.forEach((zone, number) => {
    own.append(made("polygon", { class: `zone ${zone.kind}${number === chosen ? " chosen" : ""}`, points: zone.points.map(onBoard).join(" "), "data-zone": `${number}` }));
  });
  if (open) own.append(made("polyline", { class: "zone-open", points: open.points.map(onBoard).join(" ") }));
  const shown = open ?? zones[chosen];
  shown?.points.forEach(([x, y], at) => {
    // A line without length: with round caps and an unscaled stroke it is a dot, however the board is stretched.
    const d = `M${x * SIZE} ${y * SIZE}h0`;
    own.append(made("path", { class: "zone-point back", d }), made("path", { class: "zone-point", d, "data-point": `${at}` }));
  });
  setText(byId("share"), `${Math.round(100 * maskedShare())} %`);
  form?.classList.toggle("drawing", open !== null);
}

/** The share of the picture under all masks, those of the watcher's file too; an overlap counts once. */
function maskedShare(): number {
  const given = all<SVGPolygonElement>(document, "#given .fixed-mask").map((shape) => (shape.getAttribute("points") ?? "").split(" ").map((pair) => pair.split(",").map((one) => Number(one) / SIZE) as Vertex));
  const masks = [...given, ...zones.filter(({ kind }) => kind === "mask").map(({ points }) => points)];
  let total = 0;
  for (let row = 0; masks.length && row < ROWS; row++) {
    const y = (row + 0.5) / ROWS;
    const spans = masks.flatMap((points) => spansAt(points, y)).sort((one, other) => one[0] - other[0]);
    let reached = 0;
    for (const [left, right] of spans) {
      total += Math.max(0, right - Math.max(left, reached));
      reached = Math.max(reached, right);
    }
  }
  return total / ROWS;
}

function spansAt(points: Vertex[], y: number): Vertex[] {
  const crossings: number[] = [];
  points.forEach(([ax, ay], at) => {
    const [bx, by] = points[(at + 1) % points.length] ?? [ax, ay];
    if (ay <= y !== by <= y) crossings.push(ax + ((y - ay) * (bx - ax)) / (by - ay));
  });
  crossings.sort((one, other) => one - other);
  return crossings.flatMap((left, at) => (at % 2 === 0 ? [[left, crossings[at + 1] ?? left] as Vertex] : []));
}

function tell(): void {
  if (!list || !tools) return;
  list.replaceChildren(...zones.map(row));
  list.hidden = zones.length === 0;
  for (const button of all<HTMLButtonElement>(tools, "[data-draw]")) {
    const what = button.dataset["draw"];
    button.hidden = what === "mask" || what === "ignore" ? open !== null : open === null;
    if (what === "close") button.disabled = !open || open.points.length < 3;
    if (what === "undo") button.disabled = !open?.points.length;
  }
  const say = open
    ? open.points.length < 3
      ? "Click the corners one after the other."
      : "Go on, or click the first corner again to close the shape."
    : chosen >= 0
      ? "Drag a corner to move it; double-click it to take it out."
      : "";
  setText(byId("draw-say"), say);
}

function row(zone: Zone, number: number): HTMLLIElement {
  const item = document.createElement("li");
  item.classList.toggle("chosen", number === chosen);
  const name = document.createElement("button");
  name.type = "button";
  name.className = "quiet zone-name";
  const title = `${zone.kind === "mask" ? "Mask" : "Ignore zone"} ${number + 1}`;
  name.textContent = title;
  name.setAttribute("aria-pressed", `${number === chosen}`);
  name.addEventListener("click", () => choose(number));
  const away = document.createElement("button");
  away.type = "button";
  away.className = "quiet";
  away.textContent = "Delete";
  away.setAttribute("aria-label", `Delete ${title}`);
  away.addEventListener("click", () => {
    zones.splice(number, 1);
    chosen = -1;
    changed();
  });
  item.append(name, away);
  if (zone.kind === "ignore") item.append(hazardsOf(zone));
  return item;
}

function hazardsOf(zone: Zone): HTMLFieldSetElement {
  const fields = document.createElement("fieldset");
  fields.className = "zone-hazards";
  const legend = document.createElement("legend");
  legend.textContent = "Ignored here:";
  fields.append(legend);
  for (const known of all(document, "#zone-hazards li")) {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.value = known.dataset["code"] ?? "";
    box.checked = zone.hazards.includes(box.value);
    box.addEventListener("change", () => {
      zone.hazards = all<HTMLInputElement>(fields, "input:checked").map((one) => one.value);
      write();
    });
    const label = document.createElement("label");
    label.className = "zone-hazard";
    label.append(box, known.textContent ?? "");
    fields.append(label);
  }
  return fields;
}

function choose(number: number): void {
  chosen = number === chosen ? -1 : number;
  draw();
  tell();
}

function changed(): void {
  write();
  draw();
  tell();
}

function begin(kind: Kind): void {
  open = { kind, hazards: [], points: [] };
  chosen = -1;
  draw();
  tell();
}

function finish(): void {
  if (open && open.points.length >= 3) {
    zones.push(open);
    chosen = zones.length - 1;
    open = null;
    changed();
  } else leave();
}

function leave(): void {
  open = null;
  draw();
  tell();
}

function undo(): void {
  open?.points.pop();
  draw();
  tell();
}

/** Where the pointer is, in shares of the picture, to about a tenth of a pixel. */
function placeOf(event: PointerEvent): Vertex {
  const box = (board as SVGSVGElement).getBoundingClientRect();
  const share = (value: number): number => Math.round(10_000 * Math.min(1, Math.max(0, value))) / 10_000;
  return [share((event.clientX - box.left) / box.width), share((event.clientY - box.top) / box.height)];
}

function isNear(event: PointerEvent, [x, y]: Vertex): boolean {
  const box = (board as SVGSVGElement).getBoundingClientRect();
  return Math.hypot(event.clientX - box.left - x * box.width, event.clientY - box.top - y * box.height) <= NEAR_PX;
}

function onDown(event: PointerEvent): void {
  if (event.button !== 0) return;
  const target = event.target instanceof Element ? event.target : null;
  event.preventDefault();
  if (open) {
    const first = open.points[0];
    if (first && open.points.length >= 3 && isNear(event, first)) finish();
    else if (open.points.length < MOST_POINTS) {
      open.points.push(placeOf(event));
      draw();
      tell();
    }
    return;
  }
  const zone = zones[chosen];
  const point = target?.getAttribute("data-point");
  if (zone && point) {
    moved = { zone, at: Number(point) };
    board?.setPointerCapture(event.pointerId);
    return;
  }
  const number = target?.getAttribute("data-zone");
  if (number) choose(Number(number));
}

function onMove(event: PointerEvent): void {
  if (!moved) return;
  moved.zone.points[moved.at] = placeOf(event);
  draw();
}

function onUp(): void {
  if (!moved) return;
  moved = null;
  changed();
}

function onDouble(event: MouseEvent): void {
  const zone = zones[chosen];
  const point = event.target instanceof Element ? event.target.getAttribute("data-point") : null;
  if (!zone || !point || zone.points.length <= 3) return;
  zone.points.splice(Number(point), 1);
  changed();
}

function onKey(event: KeyboardEvent): void {
  if (!open || event.target instanceof HTMLTextAreaElement) return;
  if (event.key === "Enter") finish();
  else if (event.key === "Escape") leave();
  else if (event.key === "Backspace") undo();
  else return;
  event.preventDefault();
}

if (form && text && board && tools) {
  tools.hidden = false;
  byId("zone-text")?.removeAttribute("open");
  read(text.value);
  text.addEventListener("input", () => {
    read(text.value);
    chosen = -1;
    unsaved = true;
    draw();
    tell();
  });
  tools.addEventListener("click", (event) => {
    const what = event.target instanceof HTMLElement ? event.target.dataset["draw"] : undefined;
    if (what === "mask" || what === "ignore") begin(what);
    else if (what === "close") finish();
    else if (what === "undo") undo();
    else if (what === "cancel") leave();
  });
  board.addEventListener("pointerdown", onDown);
  board.addEventListener("pointermove", onMove);
  board.addEventListener("pointerup", onUp);
  board.addEventListener("pointercancel", onUp);
  board.addEventListener("dblclick", onDouble);
  document.addEventListener("keydown", onKey);
  form.addEventListener("submit", () => {
    if (open) finish();
    unsaved = false;
  });
  window.addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });
  if (document.querySelector(".problem")) unsaved = true;
  const url = form.dataset["still"];
  if (url) void showStill(url);
  draw();
  tell();
}
