/**
 * The call: two tones, made here (no sound file), repeated until somebody acknowledges or mutes.
 * A browser lets a page sound only after a touch or a key: until then the button says so.
 */

import { byId, remember, remembered, setText } from "./dom";

const KEY = "tocsin.sound";
const REPEAT_MS = 15_000;

let context: AudioContext | null = null;
let muted = remembered("local", KEY) === "off";
let owed = 0;
let repeat: number | undefined;

function state(): "on" | "off" | "blocked" {
  if (muted) return "off";
  return context?.state === "running" ? "on" : "blocked";
}

function show(): void {
  const button = byId("sound");
  if (!button) return;
  const now = state();
  byId("sound-note")?.toggleAttribute("hidden", now !== "blocked");
  button.hidden = false;
  button.dataset["sound"] = now;
  button.setAttribute("aria-pressed", String(now === "on"));
  setText(byId("sound-word"), { on: "Sound on", off: "Sound off", blocked: "Sound blocked: touch to allow" }[now]);
  button.title = {
    on: "New alarms sound here. Press to mute.",
    off: "New alarms are silent here. Press to sound them.",
    blocked: "This browser lets the page sound only after a touch or a key.",
  }[now];
}

/** Ask for sound; answered only after a touch or a key. */
async function allow(): Promise<void> {
  try {
    context ??= new AudioContext();
    context.onstatechange = show;
    if (context.state !== "running") await context.resume();
  } catch {
    context = null; // No sound device: the button goes on saying that sound is blocked.
  }
  show();
}

function tone(at: number, hertz: number, seconds: number): void {
  if (!context) return;
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  oscillator.type = "triangle";
  oscillator.frequency.value = hertz;
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(0.35, at + 0.015);
  gain.gain.setValueAtTime(0.35, at + seconds - 0.05);
  gain.gain.linearRampToValueAtTime(0, at + seconds);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(at);
  oscillator.stop(at + seconds);
}

function call(): void {
  if (!context || state() !== "on") return;
  const start = context.currentTime + 0.02;
  for (let i = 0; i < 3; i += 1) {
    tone(start + i * 0.52, 880, 0.22);
    tone(start + i * 0.52 + 0.25, 660, 0.22);
  }
}

/** A new alarm. */
export function soundNew(): void {
  call();
  keepCalling();
}

/** How many alarms wait for an acknowledgement; the call goes on while there is one. */
export function soundOwed(count: number): void {
  owed = count;
  if (owed === 0 && repeat !== undefined) {
    window.clearInterval(repeat);
    repeat = undefined;
  } else if (owed > 0) {
    keepCalling();
  }
}

function keepCalling(): void {
  repeat ??= window.setInterval(() => {
    if (owed > 0) call();
  }, REPEAT_MS);
}

export function setUpSound(): void {
  const button = byId("sound");
  if (!button) return;
  button.addEventListener("click", () => {
    // While blocked, a press means "let me hear it", not "mute".
    if (state() === "blocked" && context?.state !== "running") {
      void allow().then(() => state() === "on" && tone((context?.currentTime ?? 0) + 0.02, 660, 0.12));
      return;
    }
    muted = !muted;
    remember("local", KEY, muted ? "off" : "on");
    if (muted) show();
    else void allow().then(() => tone((context?.currentTime ?? 0) + 0.02, 660, 0.12));
  });
  const unlock = (event: Event): void => {
    if (event.target instanceof Node && button.contains(event.target)) return;
    if (!muted && context?.state !== "running") void allow();
  };
  document.addEventListener("pointerup", unlock);
  document.addEventListener("keydown", unlock);
  show();
  if (!muted) void allow();
}
