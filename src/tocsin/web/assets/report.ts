/** The report page: find a hazard or a place by typing, and a report that survives a weak network. */

import { announce } from "./announce";
import { all, byId, setText } from "./dom";
import { send, showAnswer } from "./forms";

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

export function setUpReport(): void {
  const form = byId("report");
  if (!(form instanceof HTMLFormElement)) return;
  for (const input of all<HTMLInputElement>(form, "[data-finds]")) setUpFinder(input, form);

  const chosen = (name: string): string =>
    form.querySelector(`input[name="${name}"]:checked`)?.closest(".tile")?.querySelector(".tile-name")?.textContent ?? "";
  const tell = (): void => {
    const [hazard, place] = [chosen("hazard"), chosen("place")];
    setText(byId("send-what"), hazard && place ? `${hazard}, at ${place}` : hazard || place);
  };
  form.addEventListener("change", tell);
  tell();

  const message = byId("report-message");
  const button = form.querySelector<HTMLButtonElement>("button[type=submit]");
  let trying = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (trying || !message || !button) return;
    trying = true;
    button.setAttribute("aria-busy", "true");
    let tries = 0;
    const attempt = async (): Promise<void> => {
      tries += 1;
      const answer = await send(form);
      // The report's id makes a second try harmless: the centre takes it once.
      if (!answer.ok && answer.again) {
        showAnswer(message, { ok: false, what: `Not sent yet (try ${tries}).`, hint: "Keep this page open: it goes on trying." });
        window.setTimeout(() => void attempt(), RETRY_MS);
        return;
      }
      trying = false;
      button.removeAttribute("aria-busy");
      showAnswer(message, answer);
      if (!answer.ok) return;
      announce(`Sent. ${answer.what}`);
      button.remove();
      for (const field of all<HTMLFieldSetElement>(form, "fieldset")) field.hidden = true;
      const links = document.createElement("p");
      links.className = "row";
      const ways: [string, string][] = [["/report", "Report another"]];
      if (answer.alarmId) ways.unshift([`/alarms/${encodeURIComponent(answer.alarmId)}`, "See the alarm"]);
      for (const [href, text] of ways) {
        const link = document.createElement("a");
        link.className = "button";
        link.href = href;
        link.textContent = text;
        links.append(link);
      }
      message.after(links);
    };
    void attempt();
  });
}
