// Every task with what its process and its session say, kept up to date by the hub.
import { computed, shallowRef, triggerRef, watch } from 'vue'
import { all } from '@/api/http'
import type { ProcessState, ProcessStatus, SessionStatus, Task } from '@/api/types'
import { useTopic } from '@/live/hub'
import { useLoad } from './load'

export interface FleetRow { code: string; task: Task; process?: ProcessStatus; session?: SessionStatus; state: ProcessState }

export function useFleet() {
  const processes = shallowRef(new Map<string, ProcessStatus>())
  const sessions = shallowRef(new Map<string, SessionStatus>())
  const loaded = useLoad(async () => {
    const [tasks, states, active] = await Promise.all([
      all<Task>('/tasks'), all<ProcessStatus>('/processes'), all<SessionStatus>('/sessions/active'),
    ])
    return { tasks, states, active }
  })
  watch(loaded.data, (data) => {
    processes.value = new Map(data?.states.map((p) => [p.name, p]))
    sessions.value = new Map(data?.active.map((s) => [s.task_code, s]))
  })
  useTopic<ProcessStatus>('process_status', (batch) => {
    for (const { data } of batch) processes.value.set(data.name, data)
    triggerRef(processes)
  })
  useTopic<SessionStatus>('session', (batch) => {
    for (const { data } of batch) {
      const known = sessions.value.get(data.task_code)
      if (!known || known.session_id <= data.session_id) sessions.value.set(data.task_code, data)
    }
    triggerRef(sessions)
  })
  const rows = computed<FleetRow[]>(() =>
    (loaded.data.value?.tasks ?? []).map((task) => {
      const process = processes.value.get(task.task_code)
      return { code: task.task_code, task, process, session: sessions.value.get(task.task_code), state: process?.status ?? 'STOPPED' }
    }))
  return { rows, loaded }
}

export type TaskVerb = 'start' | 'stop' | 'pause' | 'resume' | 'restart'
/** What can be asked of a task in this state. */
export function verbsOf(state: ProcessState): TaskVerb[] {
  switch (state) {
    case 'STOPPED': return ['start']
    case 'CRASHED':
    case 'BACKOFF': return ['start', 'stop']
    case 'STARTING': return ['stop', 'restart']
    case 'RUNNING': return ['pause', 'stop', 'restart']
    case 'PAUSED': return ['resume', 'stop', 'restart']
    case 'STOPPING': return []
  }
}
