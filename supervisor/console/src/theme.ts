import { ref, watchEffect } from 'vue'

export type Theme = 'system' | 'light' | 'dark'
const kKey = 'fieldwarden.theme'
const system = window.matchMedia('(prefers-color-scheme: dark)')
const systemDark = ref(system.matches)
system.addEventListener('change', (event) => (systemDark.value = event.matches))

export const theme = ref<Theme>((localStorage.getItem(kKey) as Theme | null) ?? 'system')
export const dark = ref(false)

watchEffect(() => {
  dark.value = theme.value === 'dark' || (theme.value === 'system' && systemDark.value)
  document.documentElement.classList.toggle('dark', dark.value)
  localStorage.setItem(kKey, theme.value)
})
