import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

// `npm run dev` serves the sources and passes the rest on to a supervisor that runs (FIELDWARDEN_SERVER).
const supervisor = process.env.FIELDWARDEN_SERVER ?? 'http://127.0.0.1:8700'

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: {
    __VUE_OPTIONS_API__: true,
    __VUE_PROD_DEVTOOLS__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
  },
  build: {
    target: 'es2021',
    // Inlined assets would be data: addresses, which the server's policy forbids for anything but pictures.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
  },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/api': { target: supervisor, ws: true, changeOrigin: true, rewriteWsOrigin: true },
      '/ws': { target: supervisor, ws: true, changeOrigin: true, rewriteWsOrigin: true },
      '/healthz': supervisor,
      '/openapi.json': supervisor,
      '/metrics': supervisor,
    },
  },
  test: { include: ['test/**/*.test.ts'] },
})
