// Minutes in states by day, as the server counts them, laid out for a table and its bars.
import type { DeviceDay } from '@/api/types'

export interface Bar { state: string; minutes: number; share: number } // share: percent of a whole day

/** The day so many before `day` (YYYY-MM-DD), by the calendar: an hour more or less does not move it. */
export function dayBefore(day: string, count: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) - count * 86_400_000).toISOString().slice(0, 10)
}

/** Every state that any of the days has, in one order for all; `other` last. */
export function statesOf(days: DeviceDay[]): string[] {
  const names = new Set(days.flatMap((d) => Object.keys(d.states)))
  const known = [...names].filter((s) => s !== 'other').sort()
  return names.has('other') ? [...known, 'other'] : known
}

/** Without a status point all that is known is whether the device was connected. */
export function barsOf(day: DeviceDay, states: string[]): Bar[] {
  const whole = Math.max(1440, day.total_minutes)
  const parts: [string, number][] = states.length ? states.map((s) => [s, day.states[s] ?? 0]) : [['online', day.online_minutes]]
  return [...parts, ['unknown', day.unknown_minutes] as [string, number]].filter(([, minutes]) => minutes > 0)
    .map(([state, minutes]) => ({ state, minutes, share: (minutes / whole) * 100 }))
}
