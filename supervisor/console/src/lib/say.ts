// Short messages after an action, and the one question before what cannot be undone.
import { ElMessage, ElMessageBox } from 'element-plus'
import { ApiError } from '@/api/http'
import { i18n } from '@/i18n'

const t = (key: string, values: Record<string, unknown> = {}) => i18n.global.t(key, values)

/** What happened, and what can be done about it. */
export function explain(error: unknown): { title: string; advice: string } {
  if (!(error instanceof ApiError)) return { title: t('error.unexpected'), advice: String(error) }
  const { status, problem } = error
  const fields = (problem.errors ?? []).map((e) => (e.field ? `${e.field}: ${e.message}` : e.message)).join(' ')
  const detail = problem.detail || t('error.status', { status })
  // A single wrong field is often the whole detail.
  const title = detail.includes(fields) ? detail : `${detail} ${fields}`
  const known = [0, 401, 403, 404, 409, 413, 422, 429, 500, 503, 504].includes(status) ? String(status) : 'other'
  if (status === 0) return { title: t('error.unreachable'), advice: t('error.advice.0') }
  return { title, advice: t(`error.advice.${known}`, { seconds: error.retryAfter ?? 5 }) }
}
export function sayError(error: unknown): void {
  const { title, advice } = explain(error)
  ElMessage({ type: 'error', message: `${title} ${advice}`, duration: 8000, showClose: true })
}
export function sayDone(message: string): void {
  ElMessage({ type: 'success', message, duration: 3000 })
}
export async function confirmed(title: string, text: string, yes: string): Promise<boolean> {
  try {
    await ElMessageBox.confirm(text, title, { confirmButtonText: yes, cancelButtonText: t('cancel'), type: 'warning' })
    return true
  } catch {
    return false
  }
}
/** Runs an action; says what came of it. */
export async function attempt(action: () => Promise<unknown>, done = ''): Promise<boolean> {
  try {
    await action()
    if (done) sayDone(done)
    return true
  } catch (error) {
    sayError(error)
    return false
  }
}
