import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef, type WatchSource } from 'vue'

/** Raised by the refresh button in the header: every page loads anew. */
export const refreshTick = ref(0)

export interface Loaded<T> {
  data: ShallowRef<T | undefined>
  error: ShallowRef<unknown>
  loading: Ref<boolean>
  reload: () => Promise<void>
}

/** Loads now, whenever `sources` change, on refresh, and every `everyMs` while the page is seen. The newest answer wins. */
export function useLoad<T>(fetcher: () => Promise<T>, sources: WatchSource[] = [], everyMs = 0): Loaded<T> {
  const data = shallowRef<T>()
  const error = shallowRef<unknown>()
  const loading = ref(false)
  let latest = 0
  const reload = async () => {
    const mine = ++latest
    loading.value = true
    try {
      const value = await fetcher()
      if (mine !== latest) return
      data.value = value
      error.value = undefined
    } catch (problem) {
      if (mine === latest) error.value = problem
    } finally {
      if (mine === latest) loading.value = false
    }
  }
  watch([refreshTick, ...sources], reload)
  void reload()
  if (everyMs) {
    const timer = window.setInterval(() => document.visibilityState === 'visible' && reload(), everyMs)
    onScopeDispose(() => window.clearInterval(timer))
  }
  onScopeDispose(() => ++latest)
  return { data, error, loading, reload }
}
