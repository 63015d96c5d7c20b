# Completion of fieldwarden for bash, found by bash-completion in /usr/share/bash-completion/completions/fieldwarden.
# Codes come from the supervisor that the command line would ask; within a second, or none are offered.

# Prints the codes of KIND (tasks, groups, devices, points, sinks, users).
_fieldwarden_codes() {
  local word index connection=()
  # What was typed about the connection holds for the question as well.
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    case $word in
      --server | --ca-file | --token | --data-dir) ;;
      *) continue ;;
    esac
    # The separator is a word of its own where "=" or ":" breaks words, and the value then comes in pieces.
    local value="" next=$((index + 1))
    [[ ${COMP_WORDS[next]-} == "=" ]] && ((next++))
    while ((next < COMP_CWORD)); do
      value+=${COMP_WORDS[next]}
      if [[ ${COMP_WORDS[next + 1]-} == ":" ]] || [[ ${COMP_WORDS[next]} == ":" ]]; then ((next++)); else break; fi
    done
    [[ -n $value ]] && connection+=("$word" "$value")
  done
  timeout 1 "${COMP_WORDS[0]}" codes "$1" "${connection[@]}" 2>/dev/null </dev/null
}

# Offers the lines of standard input that begin with $1, as they are: compgen -W would expand what a supervisor says.
_fieldwarden_offer() {
  local line
  while IFS= read -r line; do
    [[ -n $line && $line == "$1"* ]] && COMPREPLY+=("$(printf '%q' "$line")")
  done
}

_fieldwarden() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  # "--option=value" arrives as three words.
  if [[ $current == "=" ]]; then
    current=""
  elif [[ $previous == "=" ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi

  local verbs="serve simulate backup restore migrate-store help import export template status top start stop pause resume restart logs points sessions
    timeline health codes alerts test-connection test-storage write browse diagnostics watch dead-letters user token audit"
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "$verbs --help --version" -- "$current")
    return
  fi

  local verb=${COMP_WORDS[1]} first=2
  if [[ $verb == help ]]; then
    if ((COMP_CWORD == 2)); then
      mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$current")
      return
    fi
    verb=${COMP_WORDS[2]} first=3
  fi

  # The inner verb and how many words stand in front that are neither options nor their values.
  local inner="" inners="" placed=0 index word skip=0
  case $verb in
    alerts) inners="ack" ;;
    dead-letters) inners="list retry clear" ;;
    user) inners="add list passwd disable remove" ;;
    token) inners="create list revoke" ;;
    audit) inners="verify" ;;
  esac
  for ((index = first; index < COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    # Pieces of a value that a ":" was in.
    [[ $word == ":" || ${COMP_WORDS[index - 1]} == ":" ]] && continue
    if ((skip)); then
      [[ $word == "=" ]] || skip=0
      continue
    fi
    case $word in
      --json | --apply | --replace | --all | --supervisor | --follow | -f | --keep-password | --undo | --help | -h | --check | \
        --print-config | --static | --mqtt-retain) ;;
      -*) skip=1 ;;
      *)
        if [[ -z $inner && " $inners " == *" $word "* ]]; then inner=$word; else ((placed++)); fi
        ;;
    esac
  done

  local options="--help"
  case $verb in
    serve | simulate | backup | restore | migrate-store) ;;
    *) options+=" --json --server --ca-file --token --data-dir" ;;
  esac
  case $verb in
    backup) options+=" --config --data-dir" ;;
    restore) options+=" --config --data-dir --replace" ;;
    migrate-store) options+=" --from --to" ;;
    serve) options+=" --config --data-dir --listen --check --print-config" ;;
    simulate)
      options+=" --modbus --modbus-rtu-tcp --modbus-rtu --mc --mc-1e --mqtt-broker --mqtt-devices --mqtt-period-ms --mqtt-user
        --mqtt-password --mqtt-retain --opcua --opcua-user --opcua-password --opcua-control --opcua-many
        --opcua-channel-lifetime-ms --devices --units --size --static --control --delay-ms --fault"
      ;;
    import) options+=" --apply --replace --lang" ;;
    export | template) options+=" --lang" ;;
    start | stop | pause | resume | restart) options+=" --group --all" ;;
    logs) options+=" --supervisor --all --follow --level --since --until --grep --limit" ;;
    points) options+=" --follow" ;;
    sessions) options+=" --limit" ;;
    dead-letters) options+=" --task --sink --limit" ;;
    browse) options+=" --depth --rows" ;;
    watch) options+=" --endpoint --count" ;;
  esac
  case "$verb $inner" in
    "alerts ") options+=" --state --severity --task --limit" ;;
    "audit ") options+=" --limit" ;;
    "alerts ack") options+=" --note" ;;
    "user add") options+=" --role --keep-password" ;;
    "user passwd") options+=" --keep-password" ;;
    "user disable") options+=" --undo" ;;
    "token create") options+=" --role --user --days" ;;
  esac

  # The value of an option.
  local words="" kind=""
  case $previous in
    --lang) words="en zh" ;;
    --level) words="debug info warning error critical" ;;
    --state) words="open firing acknowledged resolved all" ;;
    --severity) words="info warning critical" ;;
    --role) words="viewer operator admin" ;;
    --since | --until) words="10m 1h 1d" ;;
    --task) kind=tasks ;;
    --group) kind=groups ;;
    --sink) kind=sinks ;;
    --user) kind=users ;;
    --config | --ca-file | --rows | --modbus-rtu | --from | --to)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --data-dir)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      return
      ;;
    --server | --token | --limit | --grep | --note | --days | --depth | --endpoint | --count | --listen | --mqtt-broker | \
      --mqtt-devices | --mqtt-period-ms | --mqtt-user | --mqtt-password | --opcua | --opcua-user | --opcua-password | \
      --opcua-control | --opcua-many | --opcua-channel-lifetime-ms | --devices | --units | --size | --control | --delay-ms | \
      --fault | --modbus | --modbus-rtu-tcp | --mc | --mc-1e)
      return
      ;;
  esac
  if [[ -n $kind ]]; then
    _fieldwarden_offer "$current" < <(_fieldwarden_codes "$kind")
    return
  fi
  if [[ -n $words ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    return
  fi
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    return
  fi

  # What stands without an option.
  case "$verb $inner" in
    "import " | "export " | "template " | "backup " | "restore ")
      ((placed == 0)) || return
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    "start " | "stop " | "pause " | "resume " | "restart ") kind=tasks ;;
    "status " | "logs " | "points " | "sessions ") ((placed == 0)) && kind=tasks ;;
    "test-connection " | "browse " | "diagnostics ") ((placed == 0)) && kind=devices ;;
    "test-storage ") ((placed == 0)) && kind=sinks ;;
    "write ") ((placed == 0)) && kind=points ;;
    "codes ") ((placed == 0)) && words="tasks groups devices points sinks users" ;;
    "watch ") words="process_status. session. performance. health_checks. error_alerts. log_streams. data. fleet" ;;
    "user passwd" | "user disable" | "user remove") ((placed == 0)) && kind=users ;;
    "alerts " | "dead-letters " | "user " | "token " | "audit ") words=$inners ;;
  esac
  if [[ -n $kind ]]; then
    _fieldwarden_offer "$current" < <(_fieldwarden_codes "$kind")
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  fi
}

complete -F _fieldwarden fieldwarden
