import { createI18n } from 'vue-i18n'
import { setRequestLanguage } from '@/api/http'
import { messages, type Language } from '@/locales/messages'

const kKey = 'fieldwarden.language'

function preferred(): Language {
  const kept = localStorage.getItem(kKey)
  if (kept === 'zh' || kept === 'en') return kept
  return navigator.languages.find((l) => /^(zh|en)/.test(l))?.startsWith('zh') ? 'zh' : 'en'
}

export const i18n = createI18n({ legacy: false, locale: preferred(), fallbackLocale: 'en', messages, missingWarn: false })

export function setLanguage(language: Language, keep = true): void {
  i18n.global.locale.value = language
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  setRequestLanguage(language)
  if (keep) localStorage.setItem(kKey, language)
}
setLanguage(i18n.global.locale.value as Language, false)
