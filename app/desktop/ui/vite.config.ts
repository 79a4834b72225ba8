import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// `--mode mock` builds a window that runs in a plain browser against invented data; nothing of it is in the product.
export default defineConfig(({ mode, command }) => ({
  plugins: [svelte()],
  // Relative, so that the built page works from the shell's own scheme and from a folder alike.
  base: "./",
  define: { __MOCK__: JSON.stringify(mode === "mock" || (command === "serve" && mode === "development")) },
  build: {
    // The oldest web views that Tauri 2 runs in: Safari 16 on macOS 13, WebKitGTK 2.40, evergreen WebView2.
    target: ["es2022", "safari16"],
    // A font inlined as data: would need a hole in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
  },
  server: { port: 1420, strictPort: true },
  test: { include: ["src/**/*.test.ts"], environment: "happy-dom", testTimeout: 60_000 },
  // The compiler's output for browsers, not the one for servers, is what is tested.
  ...(mode === "test" ? { resolve: { conditions: ["browser"] } } : {}),
}));
