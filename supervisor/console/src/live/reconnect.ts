/** Milliseconds until the next attempt: doubling from one second up to thirty, less up to a quarter by chance so
 *  that many consoles do not come back in the same moment. `attempt` counts from 0; `random` is in [0, 1). */
export function reconnectDelay(attempt: number, random: number): number {
  const kFirst = 1000
  const kMost = 30_000
  const full = Math.min(kMost, kFirst * 2 ** Math.min(attempt, 30))
  return Math.round(full * (1 - random / 4))
}
