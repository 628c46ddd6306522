/**
 * The list of open alarms, kept as the centre says. A card is replaced part by part, and a part that a
 * person is using (an open fold, a typed note, the focus) is left alone: nobody loses a note because
 * a camera looked again.
 */

import { tellTimes } from "./clock";
import { all, byId, parse, setText } from "./dom";

/** What the server last sent of a part: the page itself changes (ages, folds), so it cannot tell. */
const sent = new WeakMap<Element, string>();

/** When the list last moved under the reader's hand. */
let movedAt = -Infinity;
const SETTLE_MS = 450;

export function justMoved(): boolean {
  return performance.now() - movedAt < SETTLE_MS;
}

export function learnCards(root: ParentNode = document): void {
  for (const part of all(root, "[data-part]")) sent.set(part, part.outerHTML);
}

function dirty(part: Element): boolean {
  return all<HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement>(part, "input, select, textarea").some(
    (field) =>
      field instanceof HTMLSelectElement
        ? Array.from(field.options).some((o, i) => o.selected !== (o.defaultSelected || (i === 0 && !field.querySelector("[selected]"))))
        : field.value !== field.defaultValue,
  );
}

/** Whether a person is at work in it. */
export function inUse(part: Element): boolean {
  return (
    (part instanceof HTMLDetailsElement && part.open) ||
    (part.contains(document.activeElement) && document.activeElement !== part) ||
    part.querySelector("[aria-busy=true]") !== null ||
    dirty(part)
  );
}

function partsOf(holder: Element): Element[] {
  return Array.from(holder.children).filter((c) => c.hasAttribute("data-part") || c.hasAttribute("data-parts"));
}

function nameOf(part: Element): string {
  return part.getAttribute("data-part") ?? "parts";
}

function patchParts(old: Element, fresh: Element): void {
  const had = new Map(partsOf(old).map((part) => [nameOf(part), part]));
  const wanted = partsOf(fresh);
  const keep = new Set(wanted.map(nameOf));
  let previous: Element | null = null;
  for (const part of wanted) {
    const mine = had.get(nameOf(part));
    if (!mine) {
      if (previous) previous.after(part);
      else old.prepend(part);
      sent.set(part, part.outerHTML);
      previous = part;
      continue;
    }
    if (part.hasAttribute("data-parts")) {
      patchParts(mine, part);
    } else if (sent.get(mine) !== part.outerHTML && !holdsOn(mine, part)) {
      sent.set(part, part.outerHTML);
      mine.replaceWith(part);
      previous = part;
      continue;
    }
    previous = mine;
  }
  for (const [name, part] of had) {
    if (keep.has(name)) continue;
    if (dirty(part) || (part instanceof HTMLDetailsElement && part.open && part.querySelector("form"))) {
      retire(part);
      continue;
    }
    const card = part.contains(document.activeElement) ? part.closest<HTMLElement>(".card") : null;
    part.remove();
    // The button that had the focus has done its work; the next Tab goes on from its card.
    card?.focus({ preventScroll: true });
  }
}

/** A part in use stays; but reading matter with the focus on a link may change, its focus put back. */
function holdsOn(mine: Element, fresh: Element): boolean {
  if (!inUse(mine)) return false;
  if (mine instanceof HTMLDetailsElement || mine instanceof HTMLFormElement || mine.querySelector("form")) return true;
  const focused = document.activeElement;
  if (!(focused instanceof HTMLAnchorElement) || !mine.contains(focused)) return true;
  const twin = all<HTMLAnchorElement>(fresh, "a").find((a) => a.getAttribute("href") === focused.getAttribute("href"));
  if (!twin) return true;
  queueMicrotask(() => twin.focus({ preventScroll: true }));
  return false;
}

/** A form whose moment has passed: what was typed can still be read and copied, not sent. */
function retire(part: Element): void {
  for (const button of all<HTMLButtonElement>(part, "button")) {
    button.disabled = true;
    button.textContent = "No longer possible: the alarm has changed";
  }
}

export function patchCard(old: HTMLElement, fresh: HTMLElement): void {
  const arrived = old.classList.contains("arrived");
  for (const { name, value } of Array.from(fresh.attributes)) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (arrived) old.classList.add("arrived");
  patchParts(old, fresh);
}

/** Keep what the reader looks at or types in where it is on the screen while the list changes. */
function steadily(change: () => void): void {
  const anchor = document.activeElement?.closest<HTMLElement>(".card") ?? document.querySelector<HTMLElement>(".card:has(details[open])");
  const before = anchor?.getBoundingClientRect().top;
  change();
  if (!anchor?.isConnected || before === undefined) return;
  const after = anchor.getBoundingClientRect().top;
  if (Math.abs(after - before) > 1) window.scrollBy({ top: after - before, behavior: "instant" });
}

type Moving = Element & { moveBefore?: (node: Node, child: Node | null) => void };

/** Put `card` at its rank. A card in use moves only where the browser can move it with its focus. */
function place(list: Element, card: HTMLElement): boolean {
  const rank = card.dataset["rank"] ?? "";
  const next = all(list, ":scope > .card").find((other) => other !== card && (other.dataset["rank"] ?? "") > rank) ?? null;
  const following = card.isConnected ? card.nextElementSibling : undefined;
  if (card.isConnected && following === next) return false;
  if (!card.isConnected) {
    list.insertBefore(card, next);
    return true;
  }
  const mover = list as Moving;
  if (mover.moveBefore) mover.moveBefore(card, next);
  else if (inUseCard(card)) return false;
  else list.insertBefore(card, next);
  return true;
}

function inUseCard(card: Element): boolean {
  return all(card, "[data-part]").some(inUse);
}

/** Put one card into the list, or bring it up to date where it stands. */
export function takeCard(fresh: HTMLElement, isNew: boolean): void {
  const mine = byId(fresh.id);
  const list = byId("alarms");
  if (!mine && !list) return;
  steadily(() => {
    let moved = false;
    if (mine) {
      patchCard(mine, fresh);
      if (list?.contains(mine)) moved = place(list, mine);
    } else if (list) {
      learnCards(fresh);
      moved = place(list, fresh);
      if (isNew) {
        fresh.classList.add("arrived");
        fresh.addEventListener("animationend", () => fresh.classList.remove("arrived"), { once: true });
      }
    }
    if (moved) movedAt = performance.now();
  });
  tellTimes(mine ?? fresh);
  tally();
}

/** Take a closed alarm off the list; one that a person types in stays, marked, until they close it. */
export function dropCard(id: string): void {
  const list = byId("alarms");
  const card = byId(`alarm-${id}`);
  if (!list || !card || !list.contains(card)) return;
  if (card.hasAttribute("data-closed")) return;
  // A form that is being sent may be what closed it: the stream can be faster than the answer to the form.
  const unsent = (fold: HTMLElement): boolean => dirty(fold) && fold.querySelector("form:not([aria-busy=true])") !== null;
  if (all(card, "details[data-part]:not([data-part=steps])").some(unsent)) {
    card.setAttribute("data-closed", "");
    for (const part of all(card, "form")) retire(part);
    const message = card.querySelector(".card-message");
    if (message) {
      message.textContent = "This alarm was closed elsewhere. What you typed was not sent. ";
      const close = document.createElement("button");
      close.type = "button";
      close.textContent = "Take it off the list";
      close.addEventListener("click", () => {
        card.remove();
        tally();
      });
      message.append(close);
    }
    return;
  }
  steadily(() => {
    const hadFocus = card.contains(document.activeElement);
    const next = card.nextElementSibling ?? card.previousElementSibling;
    card.remove();
    movedAt = performance.now();
    // The focus goes to the neighbour, not to the top of the page.
    if (hadFocus) (next instanceof HTMLElement ? next : byId("main"))?.focus({ preventScroll: true });
  });
  tally();
}

/** Bring the whole list to what the centre says. */
export function takeAll(html: string, ids: readonly string[], isNew: (id: string) => boolean): void {
  const wanted = new Set(ids);
  const list = byId("alarms");
  if (list) {
    for (const card of all(list, ":scope > .card")) {
      const id = card.dataset["id"];
      if (id && !wanted.has(id)) dropCard(id);
    }
  }
  for (const card of all(parse(html), ".card")) {
    const id = card.dataset["id"];
    if (id && wanted.has(id)) takeCard(card, isNew(id));
  }
  tally();
}

/** The counts above the list, and the calm that stands there when it is empty. */
export function tally(): void {
  const list = byId("alarms");
  if (!list) return;
  const cards = all(list, ":scope > .card:not([data-closed])");
  for (const item of all(document, "#tally > [data-tally]")) {
    const kind = item.dataset["tally"];
    const n = cards.filter(({ dataset: d }) => (d["signal"] === "alarm" ? `alarm${d["priority"]}` : d["signal"]) === kind).length;
    setText(item.querySelector("b"), String(n));
    item.hidden = n === 0;
  }
  const calm = byId("calm");
  if (calm) calm.hidden = list.childElementCount > 0;
}
