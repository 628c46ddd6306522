/** The camera's picture under a drawing board. */

import { byId } from "./dom";

const FIRST_STILL_MS = 2000;
const NEXT_STILL_MS = 10_000;

/** Asks for the camera's picture until it comes, and from then on now and then. `shown` is told each time. */
export async function showStill(url: string, shown: () => void = () => undefined): Promise<void> {
  let next = FIRST_STILL_MS;
  try {
    const answer = document.hidden ? null : await fetch(url);
    if (answer?.status === 200) {
      byId("no-still")?.remove();
      let still = byId("still") as HTMLImageElement | null;
      if (!still) {
        still = document.createElement("img");
        still.id = "still";
        still.alt = "What the camera shows, as a coarse mosaic";
        byId("draw")?.prepend(still);
      }
      still.src = `${url}?at=${Date.now()}`;
      shown();
    }
    if (byId("still")) next = NEXT_STILL_MS;
  } catch {
    next = NEXT_STILL_MS; // The centre is away for now.
  }
  window.setTimeout(() => void showStill(url, shown), next);
}
