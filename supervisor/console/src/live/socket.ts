// A WebSocket that comes back by itself. Its state is for the eye: `live`, `connecting` or `waiting` (until `retryAt`).
import { reactive } from 'vue'
import { credentials } from '@/api/http'
import type { Envelope } from '@/api/types'
import { reconnectDelay } from './reconnect'

export type LinkState = 'idle' | 'connecting' | 'live' | 'waiting'

export class LiveSocket {
  readonly status = reactive({ state: 'idle' as LinkState, retryAt: 0, missed: 0 })
  private socket: WebSocket | null = null
  private timer = 0
  private attempt = 0

  constructor(
    private readonly path: () => string,
    private readonly onMessage: (message: Envelope) => void,
    private readonly onOpen: () => void = () => {},
  ) {}

  open(): void {
    this.close()
    this.connect()
  }

  close(): void {
    window.clearTimeout(this.timer)
    const socket = this.socket
    this.socket = null
    socket?.close()
    this.attempt = 0
    this.status.state = 'idle'
  }

  send(value: unknown): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(value))
  }

  private connect(): void {
    this.status.state = 'connecting'
    const address = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${this.path()}`
    const protocols = credentials.token ? ['fieldwarden.v1', `bearer.${credentials.token}`] : ['fieldwarden.v1']
    const socket = new WebSocket(address, protocols)
    this.socket = socket
    socket.onopen = () => {
      this.attempt = 0
      this.status.state = 'live'
      this.onOpen()
    }
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data as string) as Envelope
      if (message.type === 'missed') ++this.status.missed
      this.onMessage(message)
    }
    socket.onclose = () => {
      if (this.socket !== socket) return
      this.socket = null
      const delay = reconnectDelay(this.attempt++, Math.random())
      this.status.state = 'waiting'
      this.status.retryAt = Date.now() + delay
      this.timer = window.setTimeout(() => this.connect(), delay)
    }
  }
}
