/** Forms that are sent without leaving the page. Without this script they work as plain forms. */

import { announce, toast } from "./announce";
import { justMoved } from "./cards";

const ANSWER_MS = 10_000;
/** A refusal stays until the next try; "done" has been read after this long. */
const DONE_MS = 10_000;

export interface Answer {
  ok: boolean;
  what: string;
  hint: string;
  /** The centre did not take it and could not judge it: the same again may work. */
  again?: boolean;
  alarmId?: string;
}

/** Send a form as the browser would, asking for JSON. Never throws: a lost network is an answer too. */
export async function send(form: HTMLFormElement): Promise<Answer> {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") fields.append(name, value);
  let answer: Response;
  try {
    answer = await fetch(form.action, {
      method: "POST",
      body: fields,
      headers: { Accept: "application/json" },
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  } catch {
    return { ok: false, what: "Not sent: the centre does not answer.", hint: "Try again; if it goes on, call the control room.", again: true };
  }
  if (answer.type === "opaqueredirect" || answer.status === 401) {
    return { ok: false, what: "Not sent: you are signed out.", hint: "Sign in in another tab, then try again here." };
  }
  let body: { ok?: boolean; message?: string; what?: string; hint?: string; alarm_id?: string | null } = {};
  try {
    body = (await answer.json()) as typeof body;
  } catch {
    // An answer that is no JSON is judged by its status alone.
  }
  if (answer.ok && body.ok !== false) return { ok: true, what: body.message ?? "Done.", hint: "", ...(body.alarm_id && { alarmId: body.alarm_id }) };
  return { ok: false, what: body.what ?? `Not done: the centre answered ${answer.status}.`, hint: body.hint ?? "Try again.", again: answer.status >= 500 };
}

export function showAnswer(place: Element, answer: Answer): void {
  place.toggleAttribute("data-bad", !answer.ok);
  place.textContent = "";
  const what = document.createElement(answer.ok ? "span" : "b");
  what.textContent = answer.what;
  place.append(what);
  if (answer.hint) place.append(` ${answer.hint}`);
}

async function submit(form: HTMLFormElement, button: HTMLButtonElement | null): Promise<void> {
  if (form.getAttribute("aria-busy") === "true") return;
  const card = form.closest(".card");
  const name = card?.querySelector("h2")?.textContent?.trim() ?? "";
  form.setAttribute("aria-busy", "true");
  button?.setAttribute("aria-busy", "true");
  const answer = await send(form);
  form.removeAttribute("aria-busy");
  button?.removeAttribute("aria-busy");
  if (answer.ok) {
    form.reset();
    const fold = form.closest("details");
    if (fold) {
      fold.open = false;
      if (fold.contains(document.activeElement) || document.activeElement === document.body) fold.querySelector("summary")?.focus();
    }
  }
  const place = card?.querySelector(".card-message");
  if (place && card?.isConnected) {
    showAnswer(place, answer);
    if (!answer.ok) place.scrollIntoView({ block: "nearest" });
    else window.setTimeout(() => place.textContent === answer.what && (place.textContent = ""), DONE_MS);
  } else {
    // The alarm is closed and its card gone: say it at the foot of the page.
    toast({ text: `${name}: ${answer.what}` });
    if (!answer.ok) announce(answer.what);
  }
}

/** A cause belongs to a false alarm: with any other outcome the field is not there and is not sent. */
function askCause(form: HTMLFormElement): void {
  const outcome = form.elements.namedItem("outcome");
  const cause = form.elements.namedItem("cause");
  if (!(outcome instanceof HTMLSelectElement) || !(cause instanceof HTMLSelectElement)) return;
  const isFalse = outcome.value === "false";
  cause.required = isFalse && cause.hasAttribute("data-needed");
  cause.disabled = outcome.value !== "" && !isFalse;
}

export function setUpForms(): void {
  document.documentElement.classList.add("scripted");
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (field instanceof HTMLSelectElement && field.name === "outcome" && field.form) askCause(field.form);
  });
  document.addEventListener("reset", (event) => {
    const form = event.target;
    // The fields take their first values only after this event.
    if (form instanceof HTMLFormElement) queueMicrotask(() => askCause(form));
  });
  // A tap that lands just after the list moved was meant for another card.
  document.addEventListener(
    "click",
    (event) => {
      const target = event.target instanceof Element ? event.target : null;
      if (!target?.closest("#alarms .card form button, #alarms .card summary") || !justMoved() || event.detail === 0) return;
      event.preventDefault();
      event.stopPropagation();
      toast({ text: "The list has just moved. Nothing was sent: press again." });
    },
    true,
  );
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.hasAttribute("data-live")) return;
    event.preventDefault();
    const button = event.submitter instanceof HTMLButtonElement ? event.submitter : null;
    void submit(form, button);
  });
}
