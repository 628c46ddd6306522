import { defineConfig } from "vite";

// Two entries with fixed manifest keys (console.ts, console.css): templates link each by its key, and
// the style sheet does not wait for the script. Nothing is inlined: the console's policy (CSP) forbids
// data: URLs.
export default defineConfig({
  root: "src/tocsin/web/assets",
  base: "/static/dist/",
  publicDir: false,
  logLevel: "warn",
  build: {
    outDir: "../static/dist",
    emptyOutDir: true,
    manifest: true,
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: ["es2022", "chrome111", "firefox114", "safari16.4"],
    rolldownOptions: { input: { console: "console.ts", style: "console.css", icon: "icon.svg" } },
  },
});
