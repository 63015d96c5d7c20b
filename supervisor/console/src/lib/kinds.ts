// What the forms of the configuration know: the fields of each kind, and the options each protocol and sink takes.
import { optionPairs } from '@/locales/options'

export type FieldType = 'text' | 'number' | 'flag' | 'choice' | 'list' | 'long' | 'record' | 'secret'
export interface Field { name: string; type: FieldType; required?: boolean; choices?: string[]; of?: string; placeholder?: string }
export interface KindInfo { path: string; code: string; columns: string[]; fields: Field[]; options?: 'protocol' | 'type' }

const text = (name: string, more: Partial<Field> = {}): Field => ({ name, type: 'text', ...more })
const number = (name: string, more: Partial<Field> = {}): Field => ({ name, type: 'number', ...more })
const required = { required: true }

export const kProtocols = ['modbus_tcp', 'modbus_rtu', 'mitsubishi_mc', 'opcua', 'mqtt']
export const kSinkTypes = ['history', 'influxdb', 'kafka', 'postgres', 'tdengine', 'mqtt']
export const kAddressExample: Record<string, string> = {
  modbus_tcp: '192.168.0.10:502', modbus_rtu: '/dev/ttyS0', mitsubishi_mc: '192.168.0.20:5007', opcua: 'opc.tcp://10.0.0.7:4840',
  mqtt: 'mqtt://broker:1883', influxdb: 'http://host:8086', kafka: 'kafka://host:9092', postgres: 'postgresql://user@host/database',
  tdengine: 'http://host:6041', history: 'history:',
}

export const kKinds: Record<string, KindInfo> = {
  tasks: {
    path: '/tasks', code: 'task_code', columns: ['task_code', 'task_name', 'group', 'devices', 'period_ms', 'sinks', 'autostart'],
    fields: [
      text('task_code', required), text('task_name', required), { name: 'devices', type: 'list', of: 'devices' }, { name: 'points', type: 'list' },
      number('period_ms', required), { name: 'sinks', type: 'list', of: 'sinks' }, text('group'), { name: 'autostart', type: 'flag' },
      text('schedule', { placeholder: 'start=0 8 * * 1-5; stop=0 18 * * 1-5' }), text('run_limit', { placeholder: 'cycles=100 / duration=1h' }),
    ],
  },
  devices: {
    path: '/devices', code: 'device_code', columns: ['device_code', 'device_name', 'protocol', 'address', 'type_code', 'site_code'], options: 'protocol',
    fields: [
      text('device_code', required), text('device_name', required), { name: 'site_code', type: 'record', of: 'sites', required: true },
      { name: 'protocol', type: 'choice', choices: kProtocols, required: true }, text('address', required), { name: 'type_code', type: 'record', of: 'device-types' },
      text('device_model'), text('manufacturer'), text('install_location'), text('team_name'), { name: 'description', type: 'long' },
    ],
  },
  points: {
    path: '/points', code: 'point_code', columns: ['point_code', 'point_name', 'device_code', 'address', 'data_type', 'unit', 'access'],
    fields: [
      text('point_code', required), text('point_name'), { name: 'device_code', type: 'record', of: 'devices', required: true }, text('address', { required: true, placeholder: 'hr:0 / D100 / ns=2;s=Temp / topic#/value' }),
      text('data_type', { required: true, placeholder: 'float32' }), { name: 'byte_order', type: 'choice', choices: ['', 'ABCD', 'DCBA', 'BADC', 'CDAB'] },
      number('scale'), number('offset'), text('unit'), number('deadband'), number('min_value'), number('max_value'), number('period_ms'),
      { name: 'access', type: 'choice', choices: ['', 'r', 'rw'] }, { name: 'description', type: 'long' },
    ],
  },
  sinks: {
    path: '/sinks', code: 'sink_code', columns: ['sink_code', 'type', 'url'], options: 'type',
    fields: [text('sink_code', required), { name: 'type', type: 'choice', choices: kSinkTypes, required: true }, text('url', required)],
  },
  'device-types': {
    path: '/device-types', code: 'type_code', columns: ['type_code', 'type_name', 'stable_name', 'status_point', 'state_map'],
    fields: [text('type_code', required), text('type_name', required), text('stable_name'), text('status_point'), text('state_map', { placeholder: 'welding=2,3; standby=1; shutdown=0' }), { name: 'description', type: 'long' }],
  },
  sites: {
    path: '/sites', code: 'site_code', columns: ['site_code', 'site_name', 'description'],
    fields: [text('site_code', required), text('site_name', required), { name: 'description', type: 'long' }],
  },
}

const kPace = ['timeout_ms', 'connect_timeout_ms']
const kTls = ['ca_file', 'cert_file', 'key_file', 'verify']
const kModbus = ['unit_id', ...kPace, 'max_gap', 'max_registers', 'inter_request_delay_ms']
export const kOptionNames: Record<string, string[]> = {
  'protocol:modbus_tcp': kModbus,
  'protocol:modbus_rtu': ['baud_rate', 'parity', 'stop_bits', ...kModbus],
  'protocol:mitsubishi_mc': ['frame', 'encoding', ...kPace],
  'protocol:opcua': ['security', 'username', 'password', 'mode', 'trust', 'publishing_interval_ms', 'queue_size', ...kPace],
  'protocol:mqtt': ['version', 'username', 'password', 'client_id', 'qos', 'keep_alive_s', 'subscribe', 'timestamp', ...kTls],
  'type:history': [],
  'type:influxdb': ['org', 'bucket', 'token', 'measurement', ...kPace, ...kTls],
  'type:kafka': ['topic', 'format', 'exactly_once', ...kPace],
  'type:postgres': ['table', 'password', ...kPace],
  'type:tdengine': ['database', 'username', 'password', ...kPace, ...kTls],
  'type:mqtt': ['topic', 'qos', 'batch', 'username', 'password', 'status_topic', 'timeout_ms', ...kTls],
}
export const kOptionChoices: Record<string, string[]> = {
  frame: ['3E', '4E', '1E'], encoding: ['binary', 'ascii'], parity: ['even', 'odd', 'none'], stop_bits: ['1', '2'], mode: ['subscribe', 'poll'],
  security: ['none', 'basic256sha256_sign', 'basic256sha256_sign_encrypt'], trust: ['first_use', 'known'], verify: ['true', 'false'],
  version: ['3.1.1', '5'], exactly_once: ['true', 'false'], batch: ['true', 'false'], format: ['json', 'json_lines'],
}
/** As a person calls the option; one of a newer supervisor, or of a library behind it, as it names itself. */
export function optionLabel(name: string, language: string): string {
  const pair: readonly [string, string] | undefined = Object.hasOwn(optionPairs, name) ? optionPairs[name as keyof typeof optionPairs] : undefined
  return pair ? pair[language === 'zh' ? 1 : 0] : name
}
export const isSecret = (name: string) => /password|token|secret/.test(name)
