// The shapes of proto/openapi.yaml that the console shows.

export type Scalar = boolean | number | string | null
export type Role = 'viewer' | 'operator' | 'admin'
export type Quality = 'good' | 'uncertain' | 'bad'

export interface Page<T> { items: T[]; page: number; page_size: number; total: number }

export interface Problem {
  type?: string
  title: string
  status: number
  detail: string
  session_id?: number
  errors?: { field: string; code: string; message: string; value: string }[]
}

export interface Me {
  username: string
  role: Role
  must_change_password: boolean
  kind: 'session' | 'token'
  csrf_token?: string
  expires_at: string | null
}

export interface User {
  id: number; username: string; role: Role; must_change_password: boolean; disabled: boolean
  created_at: string; last_login_at: string | null
}
export interface Token {
  id: number; name: string; username: string; role: Role; created_at: string
  expires_at: string | null; last_used_at: string | null; token?: string
}

export interface Task {
  id: number; task_code: string; task_name: string | null; devices: string[]; points: string[]
  period_ms: number | null; sinks: string[]; group: string | null; autostart: boolean | null
  schedule: string | null; run_limit: string | null; options: Record<string, string>
}
export interface Device {
  id: number; device_code: string; device_name: string | null; site_code: string | null; protocol: string
  address: string | null; type_code: string | null; device_model: string | null; manufacturer: string | null
  production_date: string | null; install_date: string | null; install_location: string | null
  team_name: string | null; is_locked: boolean | null; options: Record<string, string>; description: string | null
}
export interface Point {
  id: number; point_code: string; point_name: string | null; device_code: string | null; address: string | null
  data_type: string; byte_order: string | null; scale: number | null; offset: number | null; unit: string | null
  deadband: number | null; min_value: number | null; max_value: number | null; period_ms: number | null
  access: 'r' | 'rw' | null; description: string | null
}
export interface DeviceType { id: number; type_code: string; type_name: string | null }

export type ProcessState = 'STOPPED' | 'STARTING' | 'RUNNING' | 'PAUSED' | 'STOPPING' | 'BACKOFF' | 'CRASHED'
export type SessionState = 'starting' | 'running' | 'paused' | 'stopping' | 'stopped' | 'completed' | 'error'

export interface ConnectionStatus {
  device_code: string; device_ip: string; device_port: number; protocol_type: string; is_connected: boolean
  last_connect_time: string | null; connection_errors: number; last_error: string; response_time_ms: number | null
}
export interface ProcessStatus {
  name: string; type: string; status: ProcessState; pid: number | null; cpu_percent: number; memory_mb: number
  start_time: string | null; uptime_seconds: number; last_heartbeat: string | null; restart_count: number
  last_error: string; connections: ConnectionStatus[]; data_collection_rate: number; last_data_time: string | null
  health_score: number; error_count_24h: number; adopted: boolean; connection_status: string
}
export interface SessionStatus {
  session_id: number; task_id: number; task_code: string; status: SessionState; pid: number | null
  started_at: string; stopped_at: string | null; points_read: number; points_delivered: number
  last_read_time: string | null; error_count: number; success_rate: number; period_ms: number; cycle_ms: number
  spool_pending: number; error_message: string; process: ProcessStatus | null
}
export interface FleetSummary {
  running: number; workers: number; queue_pending: number; queue_retry: number; queue_dead: number
  processed_total: number; processed_today: number; speed: number; last_error: string
}
export interface TaskProgress {
  overall_progress: number
  units: {
    device_code: string; status: string; timeouts: number; period_factor: number; points_ok: number
    points_total: number; last_error: string
  }[]
  cycle: number; points_per_second: number; eta_seconds: number | null
  next_schedule: { action: string; at: string } | null
}
export interface PointValue {
  point_code: string; value: Scalar; quality: Quality; quality_code?: string; timestamp: string
}
export interface LivePoint {
  point_code: string; point_name: string; device_code: string; unit: string; value: Scalar; quality: Quality
  quality_code: string; timestamp: string | null
}
export type LogLevel = 'debug' | 'info' | 'warning' | 'error' | 'critical'
export interface LogEntry {
  id: number; timestamp: string; level: LogLevel; process_name: string; message: string; source_file: string
  line_number: number; exception_info: string; log_type: string | null; execution_phase: string | null
  parent_log_id: number | null
  retry_context: {
    strategy_name?: string; delay_seconds?: number; attempt_number?: number; max_attempts?: number
    error_category?: string
  } | null
}
export interface LogPage { items: LogEntry[]; before: string | null; complete: boolean }
export interface TimelineEntry extends LogEntry { children: TimelineEntry[] }
export interface HealthCheckResult {
  process_name: string; check_type: string; status: 'healthy' | 'warning' | 'critical' | 'unknown'
  timestamp: string; details: string; score: number; recommendations: string[]
}
export interface HealthSummary {
  overall_status: 'healthy' | 'warning' | 'critical' | 'unknown'; total_processes: number
  healthy_processes: number; warning_processes: number; critical_processes: number; last_check_time: string
  issues: string[]
}
export type Severity = 'info' | 'warning' | 'critical'
export interface Alert {
  id: number; error_type: string; message: string; timestamp: string; process_name: string; device_code: string
  point_code: string; severity: Severity; context: Record<string, unknown>; suggested_action: string
  state: 'firing' | 'acknowledged' | 'resolved'; count: number; first_at: string; last_at: string
}
export interface AlertRule {
  id: number; built_in: boolean; code: string; name: string; kind: string; enabled: boolean; tasks: string[]
  devices: string[]; points: string[]; parameters: Record<string, number | string[] | null>; for_ms: number | null
  clear_ms: number; repeat_ms: number; severity: Severity; channels: string[]; message: string
}
export interface AlertRuleKind {
  kind: string; subject: string; help: string; for_ms: number | null
  parameters: { name: string; least: number; most: number; default: number | null; help: string }[]
}
export interface AlertChannel {
  id: number; built_in: boolean; code: string; name: string; type: string; enabled: boolean
  options: Record<string, string>
}
export interface Silence {
  id: number; starts_at: string; ends_at: string; active: boolean; rules: string[]; tasks: string[]
  devices: string[]; points: string[]; comment: string; created_by: string; created_at: string
}
export interface ProbeResult { ok: boolean; latency_ms: number; detail: string; error_category: string | null }
export interface WorkbookProblem {
  sheet: string; row: number | null; column: string; cell?: string | null; code: string; message: string; value: string
  row_cells?: { cell: string; column: string; text: string }[]
}
export type Counts = { added: number; changed: number; removed: number; unchanged: number }
export interface ImportJob {
  id: number; file_name: string; mode: 'merge' | 'replace'; status: 'validated' | 'invalid' | 'applied'
  created_at: string; created_by: string; applied_at: string | null; summary: Record<string, Counts>
}
export interface ImportJobDetail extends ImportJob {
  errors: WorkbookProblem[]; warnings: WorkbookProblem[]; error_count?: number; warning_count?: number
}
export interface KindDiff {
  added: Record<string, unknown>[]
  changed: { code: string; fields: Record<string, { from: unknown; to: unknown }> }[]
  removed: Record<string, unknown>[]
  unchanged: number
}
export type ImportDiff = Record<string, KindDiff>
export interface ImportApplied { id: number; summary: Record<string, Counts>; reloaded: string[]; stopped: string[] }
export interface RealtimeRow {
  device_code: string; device_name: string; online: boolean; updated_at: string | null
  fields: Record<string, Scalar>; quality: Record<string, string>
}
export interface RealtimeColumn { field: string; title: string; unit: string; data_type: string; declared: boolean }
export interface RealtimeData extends Page<RealtimeRow> { columns: RealtimeColumn[] }
export interface DevicePast {
  device_code: string; more: boolean
  items: { time: string; fields: Record<string, Scalar>; quality: Record<string, string> }[]
}
export interface DeviceDay {
  device_code: string; device_name: string; type_code: string | null; states: Record<string, number>
  online_minutes: number; unknown_minutes: number; total_minutes: number; online_rate: number
}
export interface DeviceStatistics extends Page<DeviceDay> { day: string }
export interface BrowseNode {
  address: string; name: string; kind: string; data_type: string | null; has_children: boolean; writable: boolean
}
export interface Diagnostics {
  task_code: string; requests: number
  errors: { timeouts: number; exceptions: number; broken_answers: number; lost_connections: number }
  bytes_sent: number; bytes_received: number; response_p50_ms: number; response_p99_ms: number; last_refusal: string
}
export interface DeadLetter {
  id: string; task_code: string; sink_code: string; state: 'dead' | 'retrying'; rejected_at: string; reason: string
  samples: unknown[]
}
export interface AuditEntry {
  id: number; timestamp: string; actor: string; role: string; remote: string; action: string; subject: string
  detail: Record<string, unknown>
}
export interface Envelope<T = unknown> { topic?: string; v: 1; seq: number; ts: string; type: string; data: T }
