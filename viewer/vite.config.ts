import { defineConfig } from "vite";

// One script, one style sheet and one page under fixed names: they are checked in, and an export puts them into one file.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/clew/viewer/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: { entryFileNames: "app.js", assetFileNames: "app.[ext]", codeSplitting: false },
    },
  },
});
