/** The page of a link: tells once that somebody has it before them. Scanners open pages, and even run their
 * scripts, but nobody touches one. */

const address = document.querySelector<HTMLElement>("main[data-seen]")?.dataset["seen"];
const SIGNS = ["pointerdown", "pointermove", "touchstart", "keydown", "wheel"] as const;

function tell(event: Event): void {
  if (!event.isTrusted || document.visibilityState !== "visible" || !address) return;
  for (const sign of SIGNS) removeEventListener(sign, tell);
  navigator.sendBeacon(address);
}

if (address) for (const sign of SIGNS) addEventListener(sign, tell, { passive: true });
export {};
