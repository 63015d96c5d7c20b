// One /ws for the whole console: pages name topics, the hub subscribes each once and hands messages on in batches, so
// that a thousand tasks a second cost a page one update.
import { onScopeDispose } from 'vue'
import type { Envelope } from '@/api/types'
import { LiveSocket } from './socket'

type Listener = { prefix: string; take: (messages: Envelope[]) => void; pending: Envelope[] }

const listeners = new Set<Listener>()
const counts = new Map<string, number>()
const kBatchMs = 250
let flushTimer = 0

function flush(): void {
  flushTimer = 0
  for (const listener of [...listeners]) {
    if (!listener.pending.length) continue
    const batch = listener.pending
    listener.pending = []
    listener.take(batch)
  }
}

export const hub = new LiveSocket(
  () => '/ws',
  (message) => {
    const topic = message.topic
    if (!topic) return
    for (const listener of listeners) if (fits(listener.prefix, topic)) listener.pending.push(message)
    if (!flushTimer) flushTimer = window.setTimeout(flush, kBatchMs)
  },
  () => counts.size && hub.send({ action: 'subscribe', topics: [...counts.keys()] }),
)

/** The server takes topics as prefixes; here one ends where the next dot begins, so that T1 is not T10. */
export function fits(prefix: string, topic: string): boolean {
  return topic.startsWith(prefix) && (topic.length === prefix.length || prefix.endsWith('.') || topic[prefix.length] === '.')
}

/** Until the calling component is gone, or the returned function is called. */
export function useTopic<T>(prefix: string, take: (messages: Envelope<T>[]) => void): () => void {
  const listener: Listener = { prefix, take: take as Listener['take'], pending: [] }
  listeners.add(listener)
  const count = (counts.get(prefix) ?? 0) + 1
  counts.set(prefix, count)
  // Subscribed anew even when another page has it: that brings the last values.
  if (count > 1) hub.send({ action: 'unsubscribe', topics: [prefix] })
  hub.send({ action: 'subscribe', topics: [prefix] })
  let gone = false
  const leave = () => {
    if (gone) return
    gone = true
    listeners.delete(listener)
    const left = (counts.get(prefix) ?? 1) - 1
    if (left) counts.set(prefix, left)
    else {
      counts.delete(prefix)
      hub.send({ action: 'unsubscribe', topics: [prefix] })
    }
  }
  onScopeDispose(leave)
  return leave
}
