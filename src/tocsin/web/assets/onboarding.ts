/** Adding a camera: while a watcher works, the page asks how far it is, and shows what came of it. */

import { byId, parse } from "./dom";

const ASK_MS = 1000;

async function look(): Promise<void> {
  const shown = byId("adding");
  if (!shown || !("running" in shown.dataset)) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
    const fresh = answer.ok && !answer.redirected ? parse(await answer.text()).getElementById("adding") : null;
    if (!fresh) {
      location.reload(); // signed out, or over: the page itself says so
      return;
    }
    if (!("running" in fresh.dataset)) {
      shown.replaceWith(fresh);
      fresh.querySelector<HTMLElement>("h1")?.focus();
      return;
    }
    const said = fresh.querySelector(".doing p")?.textContent ?? "";
    const line = shown.querySelector(".doing p");
    if (line && line.textContent !== said) line.textContent = said;
  } catch {
    // The centre is away for a moment: asked again.
  }
  setTimeout(look, ASK_MS);
}

setTimeout(look, ASK_MS);
