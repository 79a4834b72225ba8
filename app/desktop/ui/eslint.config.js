// What the compiler does not see: promises that nobody waits for, values of unknown type, markup from strings.
import svelte from "eslint-plugin-svelte";
import { defineConfig } from "eslint/config";
import typescript from "typescript-eslint";

import svelteConfig from "./svelte.config.js";

export default defineConfig(
  { ignores: ["dist", "dist-mock", "scripts", "eslint.config.js", "svelte.config.js"] },
  typescript.configs.strictTypeChecked,
  svelte.configs.recommended,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname, extraFileExtensions: [".svelte"] } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // Actions that return promises are given to buttons as they are; they tell of their failures themselves.
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: false }],
      // A record of what is being done is a record: its entries come and go.
      "@typescript-eslint/no-dynamic-delete": "off",
      // `void value` in an effect is how it says what it depends on.
      "@typescript-eslint/no-meaningless-void-operator": "off",
    },
  },
  { files: ["**/*.svelte", "**/*.svelte.ts"], languageOptions: { parserOptions: { parser: typescript.parser, svelteConfig } } },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    rules: {
      // State changes between two lines that look as if nothing happened: an await, another effect.
      "@typescript-eslint/no-unnecessary-condition": "off",
      // Types that one component takes from another are unknown here; svelte-check knows and checks them.
      "@typescript-eslint/no-redundant-type-constituents": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-return": "off",
    },
  },
);
