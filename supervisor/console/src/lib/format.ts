// Numbers and times as people read them. Pure: the language is an argument.
import type { Scalar } from '@/api/types'

export function formatNumber(value: number, locale: string, digits = 0): string {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value)
}

/** A measured value: whole numbers whole, others with six significant digits. */
export function formatValue(value: Scalar | undefined): string {
  if (value === null || value === undefined) return '—'
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(6)))
  return String(value)
}

/** For a chart: switches count as 0 and 1, texts not at all. */
export function asNumber(value: Scalar): number | null {
  return typeof value === 'boolean' ? Number(value) : typeof value === 'number' ? value : null
}

export function formatTime(time: string | null | undefined, locale: string): string {
  if (!time) return '—'
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) return '—'
  const sameDay = date.toDateString() === new Date().toDateString()
  return new Intl.DateTimeFormat(locale, {
    ...(sameDay ? {} : { year: 'numeric', month: '2-digit', day: '2-digit' }),
    hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false,
  }).format(date)
}

export function formatFull(time: string | null | undefined, locale: string): string {
  if (!time) return '—'
  return new Intl.DateTimeFormat(locale, {
    year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
    fractionalSecondDigits: 3, hour12: false,
  }).format(new Date(time))
}

/** What an <input type=datetime-local> holds: this browser's time, to the second. */
export function toLocal(ms: number): string {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}
export function fromLocal(text: string): string {
  return new Date(text).toISOString()
}

/** The two largest units: 3 d 4 h, 12 min 5 s, 850 ms. */
export function formatDuration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '—'
  if (ms < 1000) return `${Math.round(ms)} ms`
  const units: [string, number][] = [['d', 86_400_000], ['h', 3_600_000], ['min', 60_000], ['s', 1000]]
  const at = units.findIndex(([, size]) => ms >= size)
  const [name, size] = units[at]!
  if (name === 's') return `${Number((ms / 1000).toFixed(ms < 10_000 ? 1 : 0))} s`
  const [next, nextSize] = units[at + 1]!
  const rest = Math.floor((ms % size) / nextSize)
  return rest ? `${Math.floor(ms / size)} ${name} ${rest} ${next}` : `${Math.floor(ms / size)} ${name}`
}

export function formatPercent(value: number): string {
  return `${Number(value.toFixed(1)).toString()} %`
}

/** RFC 4180, with the mark that spreadsheets need to read UTF-8. A leading =, +, - or @ of a text is no formula. */
export function toCsv(header: string[], rows: Scalar[][]): string {
  const cell = (value: Scalar) => {
    if (value === null) return ''
    const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value)
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  return '\uFEFF' + [header, ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n'
}
