import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { DeviceDay, TimelineEntry } from '@/api/types'
import { barsOf, dayBefore, statesOf } from '@/lib/days'
import { formatDuration, formatValue, fromLocal, toCsv, toLocal } from '@/lib/format'
import { kOptionChoices, kOptionNames, optionLabel } from '@/lib/kinds'
import { columnOrder, neighboursOf } from '@/lib/neighbours'
import { kindOf, layOut } from '@/lib/timeline'
import { reconnectDelay } from '@/live/reconnect'
import { messages, pairs } from '@/locales/messages'
import { optionPairs } from '@/locales/options'

describe('reconnect', () => {
  it('doubles from a second to thirty, and never more', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 1000].map((n) => reconnectDelay(n, 0))).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000])
  })
  it('takes off at most a quarter by chance', () => {
    expect(reconnectDelay(0, 0.999)).toBeGreaterThanOrEqual(750)
    expect(reconnectDelay(9, 0.999)).toBeGreaterThanOrEqual(22_500)
  })
})

describe('format', () => {
  it('shows values', () => {
    expect(formatValue(null)).toBe('—')
    expect(formatValue(false)).toBe('false')
    expect(formatValue(0)).toBe('0')
    expect(formatValue(4294967295)).toBe('4294967295')
    expect(formatValue(0.1 + 0.2)).toBe('0.3')
  })
  it('shows durations by their two largest units', () => {
    expect(formatDuration(0)).toBe('0 ms')
    expect(formatDuration(1500)).toBe('1.5 s')
    expect(formatDuration(65_000)).toBe('1 min 5 s')
    expect(formatDuration(3_600_000)).toBe('1 h')
    expect(formatDuration(90_000_000)).toBe('1 d 1 h')
    expect(formatDuration(null)).toBe('—')
  })
  it('quotes CSV and lets no text become a formula', () => {
    expect(toCsv(['a', 'b'], [['x,"y"', -1], ['=1+1', null]])).toBe('\uFEFFa,b\r\n"x,""y""",-1\r\n\'=1+1,\r\n')
  })
})

describe('times of a form', () => {
  it('come back as they went in, to the second', () => {
    expect(fromLocal(toLocal(Date.parse('2026-02-03T04:05:06.789Z')))).toBe('2026-02-03T04:05:06.000Z')
  })
})

describe('days', () => {
  const day = (states: Record<string, number>, more: Partial<DeviceDay> = {}): DeviceDay => ({
    device_code: 'D', device_name: '', type_code: null, states, online_minutes: 0, unknown_minutes: 0, total_minutes: 1440, online_rate: 0, ...more,
  })
  it('goes back by the calendar', () => {
    expect(dayBefore('2026-03-01', 1)).toBe('2026-02-28')
    expect(dayBefore('2026-01-03', 6)).toBe('2025-12-28')
  })
  it('has one order of states for all days', () => {
    expect(statesOf([day({ welding: 1, other: 2 }), day({ alarm: 3 })])).toEqual(['alarm', 'welding', 'other'])
  })
  it('lays out shares of a whole day, of a long one too', () => {
    expect(barsOf(day({ welding: 720 }, { unknown_minutes: 144, total_minutes: 900 }), ['alarm', 'welding'])).toEqual([
      { state: 'welding', minutes: 720, share: 50 }, { state: 'unknown', minutes: 144, share: 10 }])
    expect(barsOf(day({ welding: 1500 }, { total_minutes: 1500 }), ['welding'])[0]!.share).toBe(100)
  })
  it('knows only the connection of a device without states', () => {
    expect(barsOf(day({}, { online_minutes: 36 }), [])).toEqual([{ state: 'online', minutes: 36, share: 2.5 }])
  })
})

const entry = (id: number, second: number, more: Partial<TimelineEntry> = {}): TimelineEntry => ({
  id, timestamp: new Date(1_000_000 + second * 1000).toISOString(), level: 'info', process_name: 'T', message: '', source_file: '',
  line_number: 0, exception_info: '', log_type: null, execution_phase: null, parent_log_id: null, retry_context: null, children: [], ...more,
})

describe('timeline', () => {
  it('places marks by time and waits by their length', () => {
    const retry = entry(2, 50, { log_type: 'retry_attempt', retry_context: { delay_seconds: 10 } })
    const layout = layOut([entry(1, 0, { log_type: 'execution_start', children: [retry] })], 1_000_000 + 100_000)
    expect(layout.marks.map((m) => [m.kind, m.depth, m.left, m.width])).toEqual([['start', 0, 0, 0], ['retry', 1, 50, 0], ['wait', 1, 50, 10]])
  })
  it('stands an empty log and one moment', () => {
    expect(layOut([], 5).marks).toEqual([])
    expect(layOut([entry(1, 0)], 0).marks[0]!.left).toBe(0)
  })
  it('reads every log type', () => {
    expect(['execution_start', 'retry_attempt', 'success', 'failure', 'timeout', 'exception', 'strategy_change', null].map((log_type) => kindOf(entry(1, 0, { log_type }))))
      .toEqual(['start', 'retry', 'recovered', 'failed', 'failed', 'failed', 'change', 'note'])
  })
})

describe('texts', () => {
  const flat = (tree: object, prefix = ''): Record<string, unknown> =>
    Object.fromEntries(Object.entries(tree).flatMap(([k, v]) => (typeof v === 'object' && !Array.isArray(v) ? Object.entries(flat(v, `${prefix}${k}.`)) : [[prefix + k, v]])))
  const all = flat(pairs) as Record<string, [string, string]>

  it('has both languages with the same placeholders', () => {
    expect(Object.keys(flat(messages.en))).toEqual(Object.keys(flat(messages.zh)))
    for (const [key, [en, zh]] of Object.entries(all)) {
      expect(en, key).not.toBe('')
      expect(zh, key).not.toBe('')
      const places = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort()
      expect(places(zh), key).toEqual(places(en))
    }
  })
  it('has every text that the sources name', () => {
    const files = (folder: string): string[] => readdirSync(folder, { withFileTypes: true }).flatMap((f) => (f.isDirectory() ? files(join(folder, f.name)) : [join(folder, f.name)]))
    const missing = files('src').flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/\bt\('([\w.-]+)'|title: '(\w+\.\w+)'/g)].map((m) => m[1] ?? m[2]!).filter((key) => !(key in all)))
    expect(missing).toEqual([])
  })
})

describe('neighbours of a wrong cell', () => {
  const row = ['A', 'B', 'D', 'E', 'F', 'G', 'AA'].map((c) => ({ cell: `${c}17`, column: `col_${c}`, text: `text ${c}` }))
  const problem = (cell: string | null, more = {}) => ({ sheet: 'points', row: 17, column: 'x', cell, code: 'bad_value', message: '', value: 'v', row_cells: row, ...more })
  const columns = (cell: string | null, more = {}) => neighboursOf(problem(cell, more)).map((c) => (c.afterGap ? '… ' : '') + (c.wrong ? `(${c.column})` : c.column))
  it('knows the order of columns', () => {
    expect(['AA1', 'B1', 'Z1', 'A1'].sort(columnOrder)).toEqual(['A1', 'B1', 'Z1', 'AA1'])
  })
  it('are one on each side and the first of the row', () => {
    expect(columns('F17')).toEqual(['col_A', '… col_E', '(col_F)', 'col_G'])
    expect(columns('A17')).toEqual(['(col_A)', 'col_B'])
    expect(columns('D17')).toEqual(['col_A', 'col_B', '(col_D)', 'col_E'])
  })
  it('surround a blank cell and stand beside a missing column', () => {
    expect(columns('C17', { column: 'col_C', value: '' })).toEqual(['col_A', 'col_B', '(col_C)', 'col_D'])
    expect(columns(null, { column: 'site_code' })).toEqual(['col_A', '… col_AA', '(site_code)'])
  })
  it('are not needed', () => {
    expect(neighboursOf(problem('D17', { row_cells: undefined }))).toEqual([{ cell: 'D17', column: 'x', text: 'v', wrong: true, afterGap: false }])
  })
})

describe('options', () => {
  // The program's own tables; the tests run in the sources or, in a copy, somewhere below them.
  const root = (folder: string): string => (existsSync(join(folder, 'common/device_options.cpp')) ? folder : dirname(folder) === folder ? '' : root(dirname(folder)))
  const table = (file: string) => [...readFileSync(join(root(resolve('.')), 'common', file), 'utf8').matchAll(/^ {4}(?:return std::array\{)?(?:integer|choice|boolean|text)\(\s*"([^"]+)"/gm)].map((m) => m[1]!)
  const known: Record<string, string[]> = { protocol: table('device_options.cpp'), type: table('sink_options.cpp') }

  it('all have a name in both languages, and nothing else has', () => {
    expect(known.protocol!.length).toBeGreaterThan(40)
    expect(known.type!.length).toBeGreaterThan(20)
    expect(Object.keys(optionPairs).sort()).toEqual([...new Set([...known.protocol!, ...known.type!])].sort())
    for (const [name, [en, zh]] of Object.entries(optionPairs)) {
      expect(en, name).not.toBe('')
      expect(zh, name).toMatch(/[\u4e00-\u9fff]/)
    }
  })
  it('of the forms exist', () => {
    for (const [of, names] of Object.entries(kOptionNames)) for (const name of names) expect(known[of.split(':')[0]!], of).toContain(name)
    for (const name of Object.keys(kOptionChoices)) expect(optionPairs).toHaveProperty(name)
  })
  it('are shown as they are where they are unknown', () => {
    expect(optionLabel('unit_id', 'en')).toBe('Unit id')
    expect(optionLabel('unit_id', 'zh')).toBe('从站地址')
    expect(optionLabel('kafka.acks', 'en')).toBe('kafka.acks')
    expect(optionLabel('constructor', 'en')).toBe('constructor')
  })
})
