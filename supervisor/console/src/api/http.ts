// Calls of /api/v1: sign-in, CSRF and problem documents in one place. Nothing else in the console calls fetch.
import type { Problem } from './types'

export class ApiError extends Error {
  constructor(readonly problem: Problem, readonly retryAfter: number | null = null) {
    super(problem.detail || problem.title)
  }
  get status(): number {
    return this.problem.status
  }
  /** What the field of a form is to say, by its name. */
  get fields(): Record<string, string> {
    return Object.fromEntries((this.problem.errors ?? []).map((e) => [e.field, e.message]))
  }
  get mustChangePassword(): boolean {
    return this.status === 403 && (this.problem.type ?? '').endsWith('password-change-required')
  }
}

const kTokenKey = 'fieldwarden.token'
let csrf = ''
let language = 'en'
let onUnauthorized: () => void = () => {}
let onPasswordRequired: () => void = () => {}

export const credentials = {
  /** Kept for this tab only: it ends with it. */
  get token(): string {
    return sessionStorage.getItem(kTokenKey) ?? ''
  },
  set token(value: string) {
    if (value) sessionStorage.setItem(kTokenKey, value)
    else sessionStorage.removeItem(kTokenKey)
  },
  set csrf(value: string) {
    csrf = value
  },
}

export function configureHttp(handlers: { onUnauthorized: () => void; onPasswordRequired: () => void }): void {
  onUnauthorized = handlers.onUnauthorized
  onPasswordRequired = handlers.onPasswordRequired
}
export function setRequestLanguage(value: string): void {
  language = value
}

export type Query = Record<string, string | number | boolean | null | undefined>

export function withQuery(path: string, query: Query = {}): string {
  const pairs = Object.entries(query).filter(([, v]) => v !== undefined && v !== null && v !== '')
  if (!pairs.length) return path
  return `${path}?${new URLSearchParams(pairs.map(([k, v]) => [k, String(v)]))}`
}

export function requestHeaders(method: string): Record<string, string> {
  const headers: Record<string, string> = { 'Accept-Language': language }
  if (credentials.token) headers.Authorization = `Bearer ${credentials.token}`
  else if (csrf && method !== 'GET') headers['X-CSRF-Token'] = csrf
  return headers
}

/** Whatever an answer that is no success says, as a problem document. */
export function toProblem(status: number, text: string): Problem {
  try {
    const body = JSON.parse(text) as Problem
    if (typeof body.detail === 'string') return { ...body, status }
  } catch {
    // Not ours: a proxy's page, or nothing.
  }
  return { title: `HTTP ${status}`, status, detail: '' }
}

export async function send(method: string, path: string, body?: BodyInit | null, type?: string): Promise<Response> {
  const headers = requestHeaders(method)
  if (type) headers['Content-Type'] = type
  let response: Response
  try {
    response = await fetch(`/api/v1${path}`, { method, headers, body: body ?? null, credentials: 'same-origin' })
  } catch {
    throw new ApiError({ title: 'unreachable', status: 0, detail: '' })
  }
  if (response.ok) return response
  const retryAfter = Number(response.headers.get('Retry-After')) || null
  const error = new ApiError(toProblem(response.status, await response.text()), retryAfter)
  if (error.status === 401 && !path.startsWith('/auth/')) onUnauthorized()
  if (error.mustChangePassword) onPasswordRequired()
  throw error
}

async function json<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response =
    body === undefined ? await send(method, path) : await send(method, path, JSON.stringify(body), 'application/json')
  return (response.status === 204 ? undefined : await response.json()) as T
}

export const api = {
  get: <T>(path: string, query?: Query) => json<T>('GET', withQuery(path, query)),
  post: <T>(path: string, body?: unknown) => json<T>('POST', path, body),
  patch: <T>(path: string, body: unknown) => json<T>('PATCH', path, body),
  remove: <T>(path: string, query?: Query) => json<T>('DELETE', withQuery(path, query)),
}

/** Every page of a list, a thousand at a time; by cursor where there are, so that rows that come or go meanwhile
 *  neither repeat nor skip others. */
export async function all<T>(path: string, query: Query = {}): Promise<T[]> {
  const items: T[] = []
  let place: Query = {}
  for (let page = 2; ; ++page) {
    const part = await api.get<{ items: T[]; total: number; next?: string | null }>(path, { ...query, ...place, page_size: 1000 })
    items.push(...part.items)
    if (!part.items.length || part.next === null || (part.next === undefined && items.length >= part.total)) return items
    place = part.next === undefined ? { page } : { cursor: part.next }
  }
}

export async function download(path: string, name: string): Promise<void> {
  const blob = await (await send('GET', path)).blob()
  saveBlob(blob, name)
}
export function saveBlob(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

/** A file upload with its progress, which fetch does not tell. `signal` calls it back: it ends with the signal's reason then. */
export function upload<T>(path: string, form: FormData, progress: (fraction: number) => void, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', `/api/v1${path}`)
    for (const [name, value] of Object.entries(requestHeaders('POST'))) request.setRequestHeader(name, value)
    request.upload.onprogress = (e) => e.lengthComputable && progress(e.loaded / e.total)
    signal.addEventListener('abort', () => request.abort(), { once: true })
    request.onabort = () => reject(signal.reason)
    request.onerror = () => reject(new ApiError({ title: 'unreachable', status: 0, detail: '' }))
    request.onload = () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText) as T)
      if (request.status === 401) onUnauthorized()
      reject(new ApiError(toProblem(request.status, request.responseText)))
    }
    request.send(form)
  })
}
