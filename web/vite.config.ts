import { defineConfig } from "vite";

// The bundle is committed and shipped in the Python package, so it must be the same bytes on every machine:
// no source maps, nothing that depends on the time or the folder. Names carry a hash of the content, because the
// server lets browsers keep everything in assets/ for ever.
export default defineConfig({
  base: "/",
  publicDir: "public",
  build: {
    outDir: process.env.LACUNA_WEB_OUT ?? "../src/lacuna/web/static",
    emptyOutDir: true,
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"], // the first ones with light-dark()
    modulePreload: false,
    assetsInlineLimit: 0, // the page's Content-Security-Policy knows no data: styles or fonts
    reportCompressedSize: false,
    rollupOptions: {
      output: {
        entryFileNames: "assets/app-[hash].js",
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/app-[hash][extname]",
      },
    },
  },
  server: {
    proxy: { "/api": process.env.LACUNA_WEB_SERVER ?? "http://127.0.0.1:8765" },
  },
});
