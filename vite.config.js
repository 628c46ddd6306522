import { defineConfig } from "vite";

const sources = "src/tocsin/web/assets";

// Entries with fixed manifest keys (src/tocsin/web/assets/console.ts, .../console.css, .../icon.svg):
// templates link each by its key, and the style sheet does not wait for the script. Nothing is inlined: the console's policy (CSP) forbids
// data: URLs.
//
// With `--mode sw` the service worker alone is built, into one classic script of a fixed name: not every
// browser takes one that imports.
const worker = {
  base: "/static/dist/",
  publicDir: false,
  logLevel: "warn",
  build: {
    outDir: "src/tocsin/web/static/dist",
    emptyOutDir: false,
    target: ["es2022", "chrome111", "firefox114", "safari16.4"],
    rolldownOptions: { input: `${sources}/sw/sw.ts`, output: { format: "iife", entryFileNames: "sw.js" } },
  },
};

export default defineConfig(({ mode }) => (mode === "sw" ? worker : {
  base: "/static/dist/",
  publicDir: false,
  logLevel: "warn",
  build: {
    outDir: "src/tocsin/web/static/dist",
    emptyOutDir: true,
    manifest: true,
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: ["es2022", "chrome111", "firefox114", "safari16.4"],
    rolldownOptions: { input: { console: `${sources}/console.ts`, style: `${sources}/console.css`, icon: `${sources}/icon.svg`, onboarding: `${sources}/onboarding.ts`, zones: `${sources}/zones.ts`, calibrate: `${sources}/calibrate.ts`, devices: `${sources}/devices.ts`, link: `${sources}/link.ts` } },
  },
}));
