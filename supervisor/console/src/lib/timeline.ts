// A session's execution log laid out as a picture: one lane, marks where something happened, bars where it waited.
import type { TimelineEntry } from '@/api/types'

export type MarkKind = 'start' | 'retry' | 'wait' | 'recovered' | 'failed' | 'change' | 'note'

export interface Mark {
  id: number
  kind: MarkKind
  at: number // ms since 1970
  until: number // later than `at` only for a wait
  depth: number
  left: number // percent of the whole width
  width: number // percent; 0 for a moment
  entry: TimelineEntry
}

export interface Layout { from: number; to: number; marks: Mark[] }

export function kindOf(entry: TimelineEntry): MarkKind {
  switch (entry.log_type) {
    case 'execution_start': return 'start'
    case 'retry_attempt': return 'retry'
    case 'success': return 'recovered'
    case 'failure':
    case 'timeout':
    case 'exception': return 'failed'
    case 'strategy_change': return 'change'
    default: return 'note'
  }
}

/** Depth first, in the order given; `now` closes a session that still runs. */
export function layOut(entries: TimelineEntry[], now: number): Layout {
  const marks: Mark[] = []
  const walk = (list: TimelineEntry[], depth: number) => {
    for (const entry of list) {
      const at = Date.parse(entry.timestamp)
      const base = { depth, left: 0, width: 0, entry }
      marks.push({ ...base, id: entry.id, kind: kindOf(entry), at, until: at })
      const delay = entry.retry_context?.delay_seconds ?? 0
      if (delay > 0) marks.push({ ...base, id: entry.id, kind: 'wait', at, until: at + delay * 1000 })
      walk(entry.children ?? [], depth + 1)
    }
  }
  walk(entries, 0)
  if (!marks.length) return { from: now, to: now, marks }
  const from = Math.min(...marks.map((m) => m.at))
  const to = Math.max(now, ...marks.map((m) => m.until), from + 1)
  for (const mark of marks) {
    mark.left = ((mark.at - from) / (to - from)) * 100
    mark.width = ((mark.until - mark.at) / (to - from)) * 100
  }
  return { from, to, marks }
}
