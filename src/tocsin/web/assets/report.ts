/** The report page: find a hazard or a place, add a picture, and a report that outlives a lost network. */

import { announce } from "./announce";
import { all, byId, setText } from "./dom";
import { showAnswer } from "./forms";
import { type Kept, type Outcome, NEWS, deliver, drop, keep, waiting } from "./outbox";
import { setUpPicture } from "./picture";
import { askForSync } from "./waiting";

const RETRY_MS = 4000;

function fold(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

function setUpFinder(input: HTMLInputElement, form: HTMLFormElement): void {
  const box = form.querySelector<HTMLElement>(`[data-choices="${input.dataset["finds"] ?? ""}"]`);
  const finder = input.closest<HTMLElement>(".finder");
  if (!box || !finder) return;
  const tiles = all(box, ".tile");
  // A handful is found faster by looking.
  if (tiles.length < 6) return;
  finder.hidden = false;
  const nothing = box.parentElement?.querySelector<HTMLElement>(".nothing");
  const radio = (tile: HTMLElement): HTMLInputElement | null => tile.querySelector("input");
  const find = (): HTMLElement[] => {
    const words = fold(input.value).split(/\s+/).filter(Boolean);
    const found = tiles.filter((tile) => words.every((word) => fold(tile.dataset["find"] ?? "").includes(word)));
    // What is chosen stays in sight: a hidden choice would be sent unseen.
    for (const tile of tiles) tile.hidden = !found.includes(tile) && !radio(tile)?.checked;
    if (nothing) nothing.hidden = found.length > 0;
    return found;
  };
  input.addEventListener("input", find);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && input.value) {
      event.preventDefault();
      input.value = "";
      find();
    }
    if (event.key !== "Enter") return;
    event.preventDefault(); // Enter chooses here; it never sends.
    const found = find();
    const number = input.value.trim();
    const exact = found.filter((tile) => (tile.dataset["find"] ?? "").split(" ", 1)[0] === number);
    const one = exact.length === 1 ? exact[0] : found.length === 1 ? found[0] : undefined;
    const choice = one && radio(one);
    if (!choice) return;
    choice.checked = true;
    choice.dispatchEvent(new Event("change", { bubbles: true }));
    input.value = "";
    find();
    choice.focus();
  });
}

/** An id in the shape of a UUID; `randomUUID` is there over https alone. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The place of the link that led here, also where the form comes out of the browser's own store. */
function choosePlace(form: HTMLFormElement, place: string): void {
  const radio = all<HTMLInputElement>(form, 'input[name="place"]').find((one) => one.value === place);
  if (!radio) return;
  radio.checked = true;
  radio.dispatchEvent(new Event("change", { bubbles: true }));
}

function setUpPlan(form: HTMLFormElement): void {
  for (const spot of all<SVGAElement>(form, ".spot")) {
    spot.addEventListener("click", (event) => {
      event.preventDefault();
      choosePlace(form, spot.dataset["place"] ?? "");
    });
  }
}

/** What waits in this browser, one line each. */
async function listWaiting(): Promise<void> {
  const list = byId("waiting-items");
  if (!list) return;
  const reports = await waiting();
  byId("waiting-list")?.toggleAttribute("hidden", reports.length === 0);
  list.replaceChildren(
    ...reports.map((report) => {
      const line = document.createElement("li");
      const words = document.createElement("p");
      const made = new Date(report.madeAt);
      const state = report.refused ? `Refused: ${report.refused}` : report.taken ? "Sent; its picture waits" : "Waits to be sent";
      words.textContent = `${report.text}, ${made.toLocaleString("en-GB", { dateStyle: "short", timeStyle: "short" })}, by ${report.by}. ${state}.`;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = report.taken ? "Discard the picture" : "Discard";
      button.addEventListener("click", () => void drop(report.id));
      line.append(words, button);
      return line;
    }),
  );
}

function showSent(form: HTMLFormElement, message: HTMLElement, outcome: Outcome): void {
  showAnswer(message, { ok: outcome.taken, what: outcome.what, hint: outcome.hint });
  announce(`${outcome.taken ? "Sent. " : ""}${outcome.what}`);
  form.querySelector("button[type=submit]")?.remove();
  for (const field of all<HTMLFieldSetElement>(form, "fieldset")) field.hidden = true;
  const links = document.createElement("p");
  links.className = "row";
  const ways: [string, string][] = [["/report", "Report another"]];
  if (outcome.alarmId) ways.unshift([`/alarms/${encodeURIComponent(outcome.alarmId)}`, "See the alarm"]);
  if (outcome.why === "signed-out") ways.unshift([`/sign-in?next=${encodeURIComponent("/report")}`, "Sign in"]);
  for (const [href, text] of ways) {
    const link = document.createElement("a");
    link.className = "button";
    link.href = href;
    link.textContent = text;
    links.append(link);
  }
  message.after(links);
}

export function setUpReport(): void {
  if ("indexedDB" in globalThis && byId("waiting-items")) {
    void listWaiting();
    new BroadcastChannel(NEWS).addEventListener("message", () => void listWaiting());
  }
  const form = byId("report");
  if (!(form instanceof HTMLFormElement)) return;
  for (const input of all<HTMLInputElement>(form, "[data-finds]")) setUpFinder(input, form);
  setUpPlan(form);
  const picture = setUpPicture();
  const id = form.elements.namedItem("report_id");
  // A kept form was made once and is used often: its reports must not share an id.
  if (form.hasAttribute("data-shell") && id instanceof HTMLInputElement) id.value = newId();

  const radio = (name: string): HTMLInputElement | null => form.querySelector<HTMLInputElement>(`input[name="${name}"]:checked`);
  const chosen = (name: string): string => radio(name)?.closest(".tile")?.querySelector(".tile-name")?.textContent ?? "";
  const text = (): string => [chosen("hazard"), chosen("place")].filter(Boolean).join(", at ");
  const tell = (): void => {
    setText(byId("send-what"), text());
    const place = byId("chosen-place");
    place?.toggleAttribute("hidden", !chosen("place"));
    setText(place?.querySelector("b") ?? null, chosen("place"));
    const at = radio("place")?.value;
    for (const spot of all(form, ".spot")) spot.toggleAttribute("data-chosen", spot.dataset["place"] === at);
  };
  form.addEventListener("change", tell);
  choosePlace(form, new URLSearchParams(location.search).get("place") ?? "");
  tell();

  const message = byId("report-message");
  const button = form.querySelector<HTMLButtonElement>("button[type=submit]");
  let trying = false;
  const send = async (place: HTMLElement, again: HTMLButtonElement): Promise<void> => {
    const taken = await picture.taken().catch(() => null);
    const report: Kept = {
      id: id instanceof HTMLInputElement ? id.value : newId(),
      hazard: radio("hazard")?.value ?? "",
      place: radio("place")?.value ?? "",
      text: text(),
      by: document.documentElement.dataset["user"] ?? "",
      madeAt: new Date().toISOString(),
      ...taken,
    };
    // First it is safe here, then it is sent: whatever happens to this page, it goes out.
    const kept = await keep(report).then(() => true, () => false);
    let outcome = await deliver(report, kept);
    while (!kept && outcome.why === "network") {
      showAnswer(place, { ok: false, what: "Not sent yet.", hint: "This browser keeps nothing: leave this page open, it goes on trying." });
      await new Promise((resolve) => window.setTimeout(resolve, RETRY_MS));
      outcome = await deliver(report, kept);
    }
    if (outcome.why && outcome.why !== "refused" && kept) {
      void askForSync();
      return showSent(form, place, outcome);
    }
    trying = false;
    again.removeAttribute("aria-busy");
    if (outcome.taken) return showSent(form, place, outcome);
    // It can be put right on this page: nothing of it waits any more.
    if (kept) await drop(report.id).catch(() => undefined);
    showAnswer(place, { ok: false, what: outcome.what, hint: outcome.hint });
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (trying || !message || !button) return;
    trying = true;
    button.setAttribute("aria-busy", "true");
    void send(message, button);
  });
}
