// Who is signed in. By cookie (POST /auth/login) or by an access token kept in this tab.
import { computed, reactive } from 'vue'
import { api, ApiError, credentials } from '@/api/http'
import type { Me, Role } from '@/api/types'

const kRank: Record<Role, number> = { viewer: 0, operator: 1, admin: 2 }

export const session = reactive({ me: null as Me | null, checked: false })
export const mayOperate = computed(() => !!session.me && kRank[session.me.role] >= kRank.operator)
export const mayConfigure = computed(() => session.me?.role === 'admin')

function enter(me: Me): void {
  session.me = me
  credentials.csrf = me.csrf_token ?? ''
}

/** Finds out whether a cookie or a kept token still holds. */
export async function restore(): Promise<boolean> {
  session.checked = true
  try {
    enter(await api.get<Me>('/auth/me'))
    return true
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.status !== 401 && error.status !== 404) throw error
    // A token without an account behind it: the server says what it may when it is used.
    if (error.status === 404 && credentials.token) {
      try {
        await api.get('/health')
        enter({ username: 'token', role: 'admin', must_change_password: false, kind: 'token', expires_at: null })
        return true
      } catch {
        // Not valid any more.
      }
    }
    credentials.token = ''
    session.me = null
    return false
  }
}

export async function signIn(username: string, password: string): Promise<void> {
  credentials.token = ''
  const me = await api.post<Omit<Me, 'kind'>>('/auth/login', { username, password })
  enter({ ...me, kind: 'session' })
}

export async function signInWithToken(token: string): Promise<void> {
  credentials.token = token
  if (!(await restore())) throw new ApiError({ title: 'token', status: 401, detail: '' })
}

export async function signOut(): Promise<void> {
  if (session.me?.kind === 'session') await api.post('/auth/logout').catch(() => undefined)
  forget()
}
export function forget(): void {
  credentials.token = ''
  credentials.csrf = ''
  session.me = null
}
