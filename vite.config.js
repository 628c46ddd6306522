import { defineConfig } from "vite";

const sources = "src/tocsin/web/assets";

// Entries with fixed manifest keys (src/tocsin/web/assets/console.ts, .../console.css, .../icon.svg):
// templates link each by its key, and the style sheet does not wait for the script. Nothing is inlined: the console's policy (CSP) forbids
// data: URLs.
export default defineConfig({
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
    rolldownOptions: { input: { console: `${sources}/console.ts`, style: `${sources}/console.css`, icon: `${sources}/icon.svg`, onboarding: `${sources}/onboarding.ts`, zones: `${sources}/zones.ts`, calibrate: `${sources}/calibrate.ts`, devices: `${sources}/devices.ts`, link: `${sources}/link.ts`, sw: `${sources}/sw/sw.ts` } },
  },
});
