// Every text of the console in both languages, side by side, so that neither can lack one.

type Pair = readonly [en: string, zh: string]
interface Pairs { readonly [key: string]: Pair | Pairs }
export type Language = 'en' | 'zh'

export const pairs = {
  yes: ['yes', '是'], no: ['no', '否'], cancel: ['Cancel', '取消'], save: ['Save', '保存'], saved: ['Saved.', '已保存。'],
  edit: ['Edit', '编辑'], remove: ['Remove', '删除'], removed: ['Removed.', '已删除。'], enable: ['Enable', '启用'], disable: ['Disable', '停用'],
  removeText: ['{what} will be removed. This cannot be undone.', '将删除 {what}，此操作无法撤销。'],
  refresh: ['Refresh', '刷新'], skip: ['Skip to content', '跳到正文'], signout: ['Sign out', '退出登录'],
  nav: {
    label: ['Navigation', '导航'], close: ['Close the menu', '关闭菜单'], overview: ['Overview', '总览'], tasks: ['Tasks', '采集任务'], devices: ['Devices', '设备'], alerts: ['Alerts', '告警'],
    health: ['Health', '健康'], logs: ['Logs', '日志'], deadLetters: ['Dead letters', '死信'], import: ['Import', '导入'], config: ['Configuration', '配置'],
    users: ['Users and tokens', '用户与令牌'], audit: ['Audit', '审计'], system: ['System', '系统'],
  },
  link: {
    idle: ['not connected', '未连接'], connecting: ['connecting', '连接中'], live: ['live', '实时'], waiting: ['no live updates; next attempt in {seconds} s', '实时更新已断开，{seconds} 秒后重试'],
    hint: ['Whether values arrive by themselves. Refresh works without it.', '数据是否自动更新；断开时仍可手动刷新。'],
  },
  theme: { label: ['Appearance', '外观'], system: ['as the system', '跟随系统'], light: ['light', '浅色'], dark: ['dark', '深色'], toLight: ['Light appearance', '切换到浅色'], toDark: ['Dark appearance', '切换到深色'] },
  state: {
    running: ['running', '运行中'], starting: ['starting', '启动中'], paused: ['paused', '已暂停'], stopping: ['stopping', '停止中'], stopped: ['stopped', '已停止'],
    backoff: ['waiting to restart', '等待重启'], crashed: ['crashed', '已崩溃'], completed: ['completed', '已完成'], error: ['error', '错误'],
    good: ['good', '良好'], uncertain: ['uncertain', '不确定'], bad: ['bad', '坏'], healthy: ['healthy', '健康'], warning: ['warning', '警告'], critical: ['critical', '严重'],
    unknown: ['unknown', '未知'], info: ['info', '信息'], debug: ['debug', '调试'], connected: ['connected', '已连接'], disconnected: ['disconnected', '已断开'],
    online: ['online', '在线'], offline: ['offline', '离线'], enabled: ['enabled', '已启用'], disabled: ['disabled', '已停用'], firing: ['firing', '触发中'],
    acknowledged: ['acknowledged', '已确认'], resolved: ['resolved', '已恢复'], validated: ['checked', '已校验'], invalid: ['has errors', '有错误'], applied: ['applied', '已应用'],
    dead: ['dead', '死信'], retrying: ['retrying', '重试中'], active: ['active', '生效中'], planned: ['planned', '未开始'], over: ['over', '已结束'],
  },
  quality: {
    uncertain: ['uncertain', '不确定'], bad: ['bad', '坏'], timeout: ['timeout', '超时'], disconnected: ['disconnected', '已断开'], illegal_address: ['illegal address', '非法地址'],
    decode: ['cannot be decoded', '无法解码'], out_of_range: ['out of range', '超出范围'], stale: ['stale', '过期'],
  },
  verb: { start: ['Start', '启动'], stop: ['Stop', '停止'], pause: ['Pause', '暂停'], resume: ['Resume', '恢复'], restart: ['Restart', '重启'] },
  did: { start: ['{task} is starting.', '{task} 正在启动。'], stop: ['{task} is stopping.', '{task} 正在停止。'], pause: ['{task} is pausing.', '{task} 正在暂停。'], resume: ['{task} goes on.', '{task} 继续运行。'], restart: ['{task} is restarting.', '{task} 正在重启。'] },
  role: { viewer: ['viewer', '查看者'], operator: ['operator', '操作员'], admin: ['administrator', '管理员'] },
  col: {
    task: ['Task', '任务'], state: ['State', '状态'], protocol: ['Protocol', '协议'], group: ['Group', '分组'], read: ['Points acquired', '已采集点数'], success: ['Success rate', '成功率'],
    period: ['Period', '周期'], rate: ['Points/s', '点/秒'], lastData: ['Last data', '最近数据'], actions: ['Actions', '操作'], score: ['Score', '评分'], errors24: ['Errors 24 h', '24 小时错误'],
    restarts: ['Restarts', '重启次数'], device: ['Device', '设备'], point: ['Point', '测点'], value: ['Value', '值'], unit: ['Unit', '单位'], quality: ['Quality', '质量'], time: ['Time', '时间'],
    pointsOk: ['Points good', '正常点数'], response: ['Response', '响应时间'], timeouts: ['Timeouts', '超时次数'], address: ['Address', '地址'], dataType: ['Data type', '数据类型'], who: ['Who', '操作者'],
  },
  kind: { sites: ['Sites', '站点'], device_types: ['Device types', '设备类型'], devices: ['Devices', '设备'], points: ['Points', '测点'], tasks: ['Tasks', '采集任务'], sinks: ['Sinks', '存储'] },
  field: {
    code: ['Code', '编码'], name: ['Name', '名称'], type: ['Type', '类型'], options: ['Options', '选项'], description: ['Description', '描述'],
    task_code: ['Task code', '任务编码'], task_name: ['Task name', '任务名称'], devices: ['Devices', '设备'], points: ['Points', '测点'], period_ms: ['Period (ms)', '周期 (毫秒)'], sinks: ['Sinks', '存储'],
    group: ['Group', '分组'], autostart: ['Start by itself', '自动启动'], schedule: ['Schedule', '计划'], run_limit: ['Run limit', '运行限制'],
    device_code: ['Device code', '设备编码'], device_name: ['Device name', '设备名称'], site_code: ['Site', '站点'], protocol: ['Protocol', '协议'], address: ['Address', '地址'], type_code: ['Type', '类型编码'],
    device_model: ['Model', '型号'], manufacturer: ['Manufacturer', '制造商'], install_location: ['Location', '安装位置'], team_name: ['Team', '班组'],
    point_code: ['Point code', '测点编码'], point_name: ['Point name', '测点名称'], data_type: ['Data type', '数据类型'], byte_order: ['Byte order', '字节序'], scale: ['Scale', '倍率'], offset: ['Offset', '偏移'],
    unit: ['Unit', '单位'], deadband: ['Deadband', '死区'], min_value: ['Minimum', '最小值'], max_value: ['Maximum', '最大值'], access: ['Access', '读写'],
    sink_code: ['Sink code', '存储编码'], url: ['URL', '地址'], type_name: ['Type name', '类型名称'], stable_name: ['Super table', '超级表'], status_point: ['Status point', '状态测点'], state_map: ['State map', '状态映射'],
    site_name: ['Site name', '站点名称'],
  },
  error: {
    unexpected: ['Something unexpected happened.', '发生意外错误。'], unreachable: ['The supervisor cannot be reached.', '无法连接到监控服务。'], status: ['The server answered {status}.', '服务器返回 {status}。'],
    advice: {
      0: ['Check the network and that the service runs, then refresh.', '请检查网络和服务是否运行，然后刷新。'], 401: ['Check what you entered and sign in again.', '请检查输入并重新登录。'], 403: ['Ask an administrator for the right to do this.', '请联系管理员获取权限。'],
      404: ['It may have been removed; go back to the list.', '可能已被删除，请返回列表。'], 409: ['Its state has changed; refresh and try again.', '状态已变化，请刷新后重试。'], 413: ['Use a smaller file.', '请使用更小的文件。'], 422: ['Correct what is named and try again.', '请更正后重试。'],
      429: ['Wait {seconds} s and try again.', '请等待 {seconds} 秒后重试。'], 500: ['See the log of the supervisor.', '请查看监控服务日志。'], 503: ['The server is busy or starting; try again in a moment.', '服务器繁忙或正在启动，请稍后重试。'], 504: ['It took too long; check the task or device and try again.', '操作超时，请检查任务或设备后重试。'],
      other: ['Refresh and try again.', '请刷新后重试。'],
    },
  },
  table: { chooseAll: ['Choose all', '全选'], shown: ['{shown} of {all}', '{shown} / {all}'] },
  nowhere: { title: ['There is no such page.', '页面不存在。'], hint: ['The address may be mistyped, or what it named has been removed.', '地址可能有误，或对象已被删除。'] },
  signin: {
    title: ['Sign in', '登录'], intro: ['Industrial data acquisition. Sign in to go on.', '工业数据采集，请登录。'], username: ['User name', '用户名'], password: ['Password', '密码'], token: ['Access token', '访问令牌'],
    tokenHint: ['Kept in this tab only. The first token is in admin.token in the data directory.', '仅保存在当前标签页。首个令牌位于数据目录的 admin.token 文件。'], enter: ['Sign in', '登录'], withToken: ['Sign in with a token', '使用令牌登录'], withPassword: ['Sign in with a password', '使用密码登录'],
  },
  password: {
    title: ['Change password', '修改密码'], first: ['This password was given to you. Choose your own to go on.', '当前为初始密码，请设置自己的密码后继续。'], rule: ['At least 10 characters, and not the one before.', '至少 10 个字符，且不能与旧密码相同。'], current: ['Current password', '当前密码'],
    new: ['New password', '新密码'], again: ['New password again', '再次输入新密码'], differ: ['The two differ.', '两次输入不一致。'], change: ['Change', '修改'], done: ['The password is changed; other sessions are signed out.', '密码已修改，其他会话已退出。'],
  },
  overview: {
    empty: ['Nothing is configured yet.', '尚未配置任何内容。'], emptyHint: ['Import a workbook with your sites, devices, points and tasks, or enter them by hand under Configuration.', '请导入包含站点、设备、测点和任务的工作簿，或在“配置”中手工录入。'], emptyDo: ['Import a workbook', '导入工作簿'],
    health: ['Health score', '健康评分'], running: ['Tasks running', '运行中的任务'], tasks: ['of all tasks', '占全部任务'], rate: ['Points per second', '每秒点数'], today: ['{count} today', '今日 {count}'], alerts: ['Alerts', '告警'], alertsOpen: ['open now', '当前未恢复'],
    pending: ['Waiting to be delivered', '待投递'], pendingHint: ['samples in spools', '缓存中的样本'], retrying: ['Being retried', '重试中'], retryingHint: ['refused once, on the way again', '曾被拒绝，正在重发'], dead: ['Dead letters', '死信'], deadHint: ['refused for good by a sink', '被存储永久拒绝'],
    byState: ['Tasks by state', '按状态统计任务'], offenders: ['Need attention', '需要关注'], noOffenders: ['Every running task is well.', '所有运行中的任务均正常。'], alertsNow: ['Alerts now', '当前告警'],
  },
  tasks: {
    empty: ['There are no tasks yet.', '还没有采集任务。'], new: ['Configure tasks', '配置任务'], search: ['Search tasks', '搜索任务'], anyState: ['Any state', '全部状态'], anyGroup: ['Any group', '全部分组'], anyProtocol: ['Any protocol', '全部协议'],
    chosen: ['{count} chosen', '已选 {count} 项'], onChosen: ['Chosen tasks', '所选任务'], onAll: ['All tasks', '全部任务'], onGroup: ['Group {group}', '分组 {group}'], bulkDone: ['{ok} of {all} tasks done.', '{all} 个任务中 {ok} 个已执行。'],
  },
  task: {
    session: ['Session', '会话'], sessionId: ['Session', '会话'], never: ['This task has never run.', '该任务从未运行。'], neverHint: ['Start it with the button above.', '请点击上方“启动”。'], startedAt: ['Started', '开始时间'], delivered: ['{count} delivered', '已投递 {count}'], errors: ['{count} errors', '{count} 个错误'],
    cycle: ['cycle takes {time}', '周期耗时 {time}'], spool: ['In the spool', '缓存积压'], process: ['Process', '进程'], restarts: ['{count} restarts', '重启 {count} 次'], lastError: ['Last error', '最近错误'], connections: ['Connections', '连接'],
    progress: ['Done in about {eta}', '预计 {eta} 后完成'], progressLabel: ['Progress', '进度'], schedule: ['By schedule: {action} at {at}', '按计划将于 {at} {action}'], tabLive: ['Live', '实时'], tabHistory: ['History', '历史'], tabTimeline: ['Timeline', '执行时间线'], tabLog: ['Log', '日志'],
    choosePoints: ['Points to draw', '选择测点'], window: ['Window', '时间窗口'], minutes: ['{count} min', '{count} 分钟'], hold: ['Hold', '暂停刷新'], goOn: ['Go on', '继续刷新'], zoomHint: ['Drag to zoom, double click for all.', '拖动缩放，双击还原。'], values: ['Values', '当前值'],
    from: ['From', '从'], to: ['to', '到'], agg: ['Aggregate', '聚合'], aggNone: ['none', '无'], interval: ['every', '间隔'], query: ['Show', '查询'], csv: ['Download CSV', '下载 CSV'], historyPoints: ['Points: {points} (chosen under Live)', '测点：{points}（在“实时”中选择）'],
    noHistory: ['There are no samples in this time.', '该时间段没有样本。'], noHistoryHint: ['Choose another time, and see that a task that keeps history has run in it.', '请选择其他时间段，并确认当时有保存历史的任务在运行。'], samples: ['{count} samples', '{count} 个样本'], moreSamples: ['there are more after {time}; choose a shorter time', '{time} 之后还有更多，请缩短时间范围'],
  },
  agg: { avg: ['average', '平均'], min: ['minimum', '最小'], max: ['maximum', '最大'], last: ['last', '最后'] },
  timeline: {
    title: ['Execution timeline', '执行时间线'], none: ['Nothing is recorded for this session yet.', '该会话暂无记录。'], start: ['start', '启动'], retry: ['retry', '重试'], wait: ['waiting', '等待'], recovered: ['success', '成功'], failed: ['failure', '失败'], change: ['strategy change', '策略变更'], note: ['note', '记录'],
    attempt: ['attempt {n} of {max}', '第 {n} 次，共 {max} 次'], waits: ['waits {time}', '等待 {time}'],
  },
  logs: {
    level: ['Level', '级别'], from: ['{level} and above', '{level} 及以上'], search: ['Search the log', '搜索日志'], follow: ['Follow', '跟随'], older: ['Older entries', '更早的记录'], none: ['No entries match.', '没有匹配的日志。'], noneHint: ['Lower the level or clear the search.', '请降低级别或清除搜索。'],
    source: ['Of', '来源'], everything: ['everything', '全部'], supervisor: ['supervisor', '监控服务'],
  },
  import: {
    more: ['and {count} more', '另有 {count} 条'],
    template: ['Template', '下载模板'], export: ['Export configuration', '导出配置'], mode: ['Mode', '方式'], merge: ['Merge', '合并'], mergeHint: ['adds and changes; removes nothing', '新增和修改，不删除'], replace: ['Replace', '替换'], replaceHint: ['also removes everything the workbook does not hold, and stops its tasks', '同时删除工作簿中没有的内容，并停止相应任务'],
    drop: ['Drop a workbook here', '将工作簿拖到此处'], choose: ['Choose a file', '选择文件'], formats: ['.xlsx, .xls or a .zip of .csv. Nothing changes until you apply it.', '支持 .xlsx、.xls 或 .csv 的 .zip。应用之前不会有任何改动。'], uploading: ['Upload', '上传'], checking: ['Checking …', '正在校验…'],
    saveErrors: ['Download problems', '下载问题清单'], apply: ['Apply', '应用'], applied: ['The workbook is applied.', '工作簿已应用。'], reloaded: ['Reloaded: {tasks}', '已重载：{tasks}'], startNew: ['Start {count} new tasks', '启动 {count} 个新任务'], started: ['{count} tasks are starting.', '{count} 个任务正在启动。'], toTasks: ['To the tasks', '查看任务'],
    confirmTitle: ['Remove records?', '删除记录？'], confirmText: ['{count} records that the workbook does not hold will be removed; running tasks among them stop. This cannot be undone.', '将删除工作簿中没有的 {count} 条记录，其中运行中的任务会停止。此操作无法撤销。'],
    problems: ['Errors: {errors}, warnings: {warnings}', '{errors} 个错误，{warnings} 个警告'], problem: ['Problem', '问题'], sheet: ['Sheet', '工作表'], cell: ['Cell', '单元格'], row: ['row', '行'], found: ['In the workbook', '表中内容'], blank: ['(empty)', '（空）'], diff: ['What changes', '变更内容'],
    noChange: ['Nothing changes: the configuration is already as in the workbook.', '没有变化：配置与工作簿一致。'], kind: ['Kind', '类别'], added: ['added', '新增'], changed: ['changed', '修改'], removed: ['removed', '删除'], unchanged: ['unchanged', '未变'], history: ['Imports', '导入记录'], file: ['File', '文件'],
    none: ['Nothing has been imported yet.', '还没有导入记录。'], noneHint: ['Download the template, fill it in and drop it above.', '请下载模板，填写后拖到上方。'],
  },
  devices: { total: ['{count} devices', '{count} 台设备'], type: ['Device type', '设备类型'], allTypes: ['All', '全部'], search: ['Search devices', '搜索设备'], empty: ['There are no devices yet.', '还没有设备。'], noneFound: ['No device matches.', '没有匹配的设备。'] },
  device: {
    historyHint: ['Points: {points}', '测点：{points}'], tabDays: ['Statistics', '统计'],
    test: ['Test connection', '测试连接'], browse: ['Browse', '浏览节点'], reached: ['reached in {ms} ms', '已连通，{ms} 毫秒'], notReached: ['not reached', '无法连通'], about: ['Device', '设备信息'], counters: ['Counters of the driver', '驱动计数'], noTask: ['No running task reads this device.', '没有运行中的任务采集该设备。'], noTaskHint: ['Start a task that names it.', '请启动包含该设备的任务。'],
    requests: ['Requests', '请求数'], exceptions: ['Refusals', '异常应答'], lost: ['Lost connections', '断线次数'], refusal: ['Last refusal', '最近异常'], points: ['Points', '测点'], noPoints: ['The device has no points.', '该设备没有测点。'], noPointsHint: ['Add them under Configuration or in the workbook.', '请在“配置”或工作簿中添加。'],
  },
  days: {
    until: ['Seven days until', '截至该日的七天'], day: ['Day', '日期'], bar: ['Share of the day', '全天占比'], rate: ['Online rate', '在线率'], nothing: ['nothing counted', '无统计'], about: ['Minutes of each day in the time zone of the server.', '按服务器时区统计的每日分钟数。'],
    none: ['Nothing was counted on these days.', '这些日期没有统计数据。'], noneHint: ['Minutes are counted while a task reads the device: start one, and look again after ten seconds.', '任务采集该设备时才会统计：请启动任务，十秒后再查看。'],
    noStates: ['Only whether it was connected is known. For states, give its type a status point and a state map:', '目前仅统计是否在线。如需统计状态，请为其设备类型设置状态测点和状态映射：'],
  },
  dayState: { online: ['online', '在线'], unknown: ['unknown', '未知'], other: ['other', '其他'], alarm: ['alarm', '报警'], shutdown: ['shut down', '关机'], standby: ['standby', '待机'], running: ['running', '运行'], welding: ['welding', '焊接'] },
  write: { button: ['Write', '写入'], title: ['Write a value', '写入数值'], value: ['Value', '数值'], do: ['Write', '写入'], confirm: ['{value} {unit} will be written to {point} on the device now.', '将立即向设备的 {point} 写入 {value} {unit}。'], done: ['Written; the device now says {value}.', '写入成功，设备返回 {value}。'], differs: ['The device says {value} after the write.', '写入后设备返回 {value}。'], noNumber: ['Enter a number.', '请输入数字。'] },
  alerts: {
    open: ['Open', '未恢复'], history: ['History', '历史'], rules: ['Rules', '规则'], channels: ['Channels', '通知渠道'], silences: ['Silences', '静默'], none: ['No alerts.', '没有告警。'], noneHint: ['Rules say what raises one; see the tab Rules.', '触发条件见“规则”页。'], noHistory: ['No alert has been resolved yet.', '还没有已恢复的告警。'], ack: ['Acknowledge', '确认'], acked: ['Acknowledged.', '已确认。'],
    severity: ['Severity', '级别'], message: ['Message', '内容'], first: ['First', '首次'], last: ['Last', '最近'], kind: ['Kind', '种类'], newRule: ['New rule', '新建规则'], rule: ['Alert rule', '告警规则'], newChannel: ['New channel', '新建渠道'], channel: ['Alert channel', '通知渠道'], test: ['Send a test', '发送测试'], sent: ['The test was sent.', '测试已发送。'],
    noChannels: ['There are no channels yet.', '还没有通知渠道。'], noChannelsHint: ['Add a webhook or an e-mail channel to be told.', '添加 Webhook 或邮件渠道以接收通知。'], tasks: ['Tasks', '任务'], devices: ['Devices', '设备'], points: ['Points', '测点'], listHint: ['Codes, * as a wildcard; empty: all.', '编码，可用 * 通配；留空表示全部。'], channelsHint: ['Codes of channels; * for all.', '渠道编码；* 表示全部。'],
    states: ['States', '状态'], forMs: ['Holds for (ms)', '持续时间 (毫秒)'], clearMs: ['Over for (ms)', '恢复时间 (毫秒)'], repeatMs: ['Repeat every (ms)', '重复间隔 (毫秒)'],
  },
  alertKind: {
    process_state: { name: ['State of the process', '进程状态'], help: ['The task\'s process is in one of the chosen states.', '任务进程处于所选状态之一。'] },
    restarts: { name: ['Restarts', '频繁重启'], help: ['The task\'s worker was restarted too often within a time.', '任务的工作进程在时间窗口内重启过多。'] },
    operator_needed: { name: ['A person is needed', '需要人工处理'], help: ['Recovery has tried what it can, and nothing automatic helps.', '自动恢复已尝试所有手段，仍无法恢复。'] },
    connection: { name: ['Connection', '连接'], help: ['A device is not connected. Without a time to hold: the task\'s connection_timeout.', '设备未连接。未填持续时间时采用任务的 connection_timeout。'] },
    data_flow: { name: ['Data flow', '数据流'], help: ['A running task has no good data. Without a time to hold: the task\'s data_timeout.', '运行中的任务没有正常数据。未填持续时间时采用任务的 data_timeout。'] },
    threshold: { name: ['Threshold', '阈值'], help: ['A point\'s value is above or below a limit.', '测点的值高于上限或低于下限。'] },
    frozen: { name: ['Frozen value', '数值不变'], help: ['A point has good quality, and its value has not changed for the time to hold.', '测点质量良好，但在持续时间内数值没有变化。'] },
    rate_of_change: { name: ['Rate of change', '变化率'], help: ['A point\'s value changes faster than allowed.', '测点数值变化过快。'] },
    spool_backlog: { name: ['Backlog', '缓存积压'], help: ['Samples pile up in the task\'s spool.', '任务缓存中的样本不断积压。'] },
    sink_down: { name: ['Sink down', '存储不可用'], help: ['Deliveries to a sink of the task fail and are tried again.', '向任务的存储投递失败，正在重试。'] },
    dead_letters: { name: ['Dead letters', '死信'], help: ['A sink of the task refused samples for good.', '任务的存储永久拒绝了样本。'] },
    disk_low: { name: ['Disk nearly full', '磁盘空间不足'], help: ['The file system of the data directory is nearly full.', '数据目录所在的文件系统即将写满。'] },
  },
  alertParameter: {
    count: { name: ['Restarts', '重启次数'], help: ['Restarts within the time that are too many.', '时间窗口内达到该次数即告警。'] },
    window_ms: { name: ['Within (ms)', '时间窗口 (毫秒)'], help: ['The time within which they are counted.', '统计重启次数的时间。'] },
    above: { name: ['Above', '高于'], help: ['An alert when the value is greater.', '数值大于此值时告警。'] },
    below: { name: ['Below', '低于'], help: ['An alert when the value is less.', '数值小于此值时告警。'] },
    hysteresis: { name: ['Hysteresis', '回差'], help: ['How far the value must come back from the limit before it is over.', '数值需从限值回落多少才算恢复。'] },
    tolerance: { name: ['Tolerance', '容差'], help: ['A smaller change does not count as one.', '小于此值的变化不计。'] },
    per_second: { name: ['Per second', '每秒变化'], help: ['An alert when the value rises or falls faster.', '数值升降快于此值时告警。'] },
    samples: { name: ['Samples', '样本数'], help: ['An alert when more samples wait for a sink.', '等待投递的样本多于此值时告警。'] },
    percent: { name: ['Percent of the spool', '缓存占用 (%)'], help: ['An alert when the spool fills more of the space it may take.', '缓存占用超过允许空间的此比例时告警。'] },
    free_percent: { name: ['Free (%)', '可用 (%)'], help: ['An alert when less of the file system is free.', '文件系统可用比例低于此值时告警。'] },
    free_mb: { name: ['Free (MiB)', '可用 (MiB)'], help: ['An alert when fewer MiB are free.', '可用空间少于此值时告警。'] },
  },
  silence: {
    title: ['Silence', '静默'], new: ['New silence', '新建静默'], about: ['Alerts that match all of this are still shown; no channel is told of them until it ends.', '符合以下全部条件的告警仍会显示，但在结束之前不会发送通知。'], none: ['No silence is set.', '没有静默。'], noneHint: ['Set one for planned work, so that nobody is called for what is expected.', '计划检修时可设置静默，避免不必要的通知。'],
    covers: ['Covers', '范围'], everything: ['every alert', '所有告警'], starts: ['Begins', '开始'], ends: ['Ends', '结束'], comment: ['Comment', '备注'], removeText: ['{what}: channels are told of these alerts again at once.', '{what}：删除后将立即恢复通知。'],
  },
  channelType: { log: ['log', '日志'], webhook: ['webhook', 'Webhook'], email: ['e-mail', '邮件'] },
  channelOption: {
    url: ['URL', '地址'], secret: ['Secret of the signature', '签名密钥'], timeout: ['Timeout', '超时'], starttls: ['STARTTLS', 'STARTTLS'], username: ['User name', '用户名'],
    password: ['Password', '密码'], from: ['From', '发件人'], to: ['To', '收件人'], subject_prefix: ['Subject begins with', '主题前缀'],
  },
  health: { checked: ['checked {time}', '检查于 {time}'], issues: ['Issues', '问题'], toTask: ['To the task', '查看任务'], notYet: ['Not checked yet: the task does not run.', '任务未运行，尚未检查。'] },
  check: { process_alive: ['Process', '进程'], resource_usage: ['Resources', '资源'], connection: ['Connections', '连接'], data_flow: ['Data flow', '数据流'], log_errors: ['Errors in the log', '日志错误'] },
  dead: { hint: ['What a sink refused for good.', '被存储永久拒绝的数据。'], none: ['No dead letters.', '没有死信。'], noneHint: ['Everything that was delivered has been accepted.', '所有投递的数据均已被接受。'], sink: ['Sink', '存储'], reason: ['Reason', '原因'], samples: ['Samples', '样本数'], retry: ['Deliver again', '重新投递'], retried: ['They are on the way again.', '正在重新投递。'], clear: ['Clear', '清空'], clearText: ['All dead letters will be removed. This data cannot be brought back.', '将删除所有死信，数据无法恢复。'] },
  audit: { search: ['Search', '搜索'], none: ['Nothing is recorded.', '没有记录。'], from: ['From', '来源'], action: ['Action', '操作'], subject: ['Subject', '对象'], detail: ['Detail', '详情'] },
  system: { server: ['Supervisor', '监控服务'], version: ['Version', '版本'], ready: ['Ready', '就绪'], revision: ['Configuration revision', '配置版本'], workers: ['Workers', '工作进程'], total: ['Points in all', '累计点数'], console: ['Console', '控制台'], link: ['Live updates', '实时更新'], missed: ['{count} left out', '丢弃 {count}'], contract: ['API contract', 'API 文档'], metrics: ['Prometheus metrics', 'Prometheus 指标'] },
  users: { users: ['Users', '用户'], add: ['Add a user', '添加用户'], role: ['Role', '角色'], lastLogin: ['Last sign-in', '最近登录'], oneTime: ['First password', '初始密码'], tokens: ['Access tokens', '访问令牌'], addToken: ['Create a token', '创建令牌'], once: ['Copy it now, it is shown only once:', '请立即复制，仅显示一次：'], noTokens: ['There are no tokens.', '没有令牌。'], noTokensHint: ['Create one for a script or another system.', '可为脚本或其他系统创建令牌。'], expires: ['Expires', '到期'], lastUsed: ['Last used', '最近使用'], never: ['never', '永不'], revoke: ['Revoke', '吊销'], days: ['Valid for (days; empty: for ever)', '有效天数（留空为永久）'] },
  config: { add: ['Add: {kind}', '新增：{kind}'], search: ['Search', '搜索'], none: ['Nothing here yet.', '暂无内容。'], extra: ['Further options', '其他选项'], testStorage: ['Test storage', '测试存储'], devicesHint: ['Codes; * as a wildcard.', '编码，可用 * 通配。'], pointsHint: ['Empty: all points of the devices.', '留空表示设备的全部测点。'], sinksHint: ['Empty: the embedded history only.', '留空表示仅内置历史库。'] },
} as const satisfies Pairs

type Tree = { [key: string]: string | Tree }
function side(of: Pairs, index: 0 | 1): Tree {
  return Object.fromEntries(Object.entries(of).map(([key, value]) =>
    [key, Array.isArray(value) ? (value as unknown as Pair)[index] : side(value as Pairs, index)]))
}
export const messages = { en: side(pairs, 0), zh: side(pairs, 1) }
