#!/usr/bin/env bash
# Runs a command on all hosts of a Cloud TPU pod until it is done: docs/tpu.md.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat << 'END'
Usage: scripts/launch_tpu_pod.sh FLAGS -- COMMAND [ARGUMENTS]

Runs COMMAND on every host of a Cloud TPU pod. Requests the pod by a queued
resource, or uses the existing pod NAME; copies this checkout to it, without
ignored files; and copies the logs back. After a preemption it starts again, and
COMMAND resumes from its last checkpoint. If the launcher is stopped and started
again with the same NAME, it takes over the pod.

  COMMAND            native: train, evaluate, infer (python -m distill.COMMAND)
                     t5x: train, eval, infer (T5X's own, on every host)
  --engine=E         trainer: native or t5x
  --name=NAME        name of the pod
  --zone=ZONE        such as us-west4-a
  --accelerator_type=TYPE      such as v5litepod-16, v5p-32, v6e-16
  --runtime_version=VERSION    such as v2-alpha-tpuv5-lite, v2-alpha-tpuv6e
  --storage=gs://BUCKET/FOLDER for code, data and logs, in the pod's region
optional:
  --data=FOLDER      folder of the caches (DISTILL_DATA_DIR): a gs:// folder, or a
                     local one, which is copied to STORAGE/data
  --env=NAME=VALUE   environment variable on the hosts; repeatable
  --logs=FOLDER      local folder for the logs (default: logs)
  --spot             use a cheaper pod that may be preempted
  --reserved         use a pod of the project's reservation
  --project=PROJECT  Google Cloud project (default: gcloud's own setting)
  --network=NETWORK --subnetwork=SUBNETWORK     network of the hosts
  --internal_ips     no external addresses; ssh uses the internal ones
  --service_account=EMAIL      service account of the hosts
  --labels=KEY=VALUE,…         labels of the pod
  --valid_until_duration=TIME  give up if the request waits longer, such as 6h
  --delete           delete the pod at the end; it costs until it is deleted
  --max_restarts=N   give up after N restarts (default: 100)
  --poll_seconds=S   seconds between checks of the pod (default: 60)
  --dry_run          print the commands, one per line, and run none

The flags and gin files of COMMAND are checked first, also with --dry_run.
Exit code: 0 if COMMAND is done on all hosts; 2 for a mistake in flags or gin;
143 if preempted too often; 1 if gcloud fails; otherwise that of COMMAND.
END
}

engine="" name="" zone="" accelerator_type="" runtime_version="" storage=""
reserved="" project="" network="" subnetwork="" internal_ips=""
service_account="" labels="" valid_until_duration=""
data="" env="" logs=logs spot="" delete="" dry_run="" max_restarts=100 poll_seconds=60

say() { echo "$(date -u +%H:%M:%S) $*" >&2; }

# Prints the problem and its fix; exits as for every user error.
fail() {
  printf 'error: %s\n  fix:      %s\n' "$1" "$2" >&2
  exit 2
}

parse_flags() {
  local flag
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    flag=${1%%=*}
    case $1 in
      --help | -h) usage && exit 0 ;;
      --spot | --reserved | --internal_ips | --delete | --dry_run)
        printf -v "${flag#--}" 1 ;;
      --env=[A-Z]*=*) env+=" $(quoted "${1#--env=}")" ;;
      --engine=* | --name=* | --zone=* | --accelerator_type=* | --data=* | \
        --runtime_version=* | --storage=* | --logs=* | --max_restarts=* | \
        --project=* | --network=* | --subnetwork=* | --service_account=* | \
        --labels=* | --valid_until_duration=* | --poll_seconds=*)
        [ "${1#*=}" ] || fail "$flag has no value" "see $0 --help"
        printf -v "${flag#--}" %s "${1#*=}" ;;
      *) fail "there is no flag '$1', or it lacks its =VALUE" "see $0 --help" ;;
    esac
    shift
  done
  [ $# -gt 1 ] || fail "no command to run" "end with: -- train --gin_file=…"
  arguments=("${@:2}")
}

# Fails unless the flag's value matches the pattern.
check() {
  [[ ${!1} =~ ^($2)$ ]] || fail "--$1='${!1}' is not $3" "such as --$1=$4"
}

check_flags() {
  local commands="train|evaluate|infer" word="[a-z][-a-z0-9_./:]*"
  check engine "native|t5x" "an engine" "native"
  [ "$engine" = native ] || commands="train|eval|infer"
  [[ ${arguments[0]} =~ ^($commands)$ ]] \
    || fail "$engine has no command '${arguments[0]}'" "one of $commands"
  check name "[a-z]([-a-z0-9]{0,61}[a-z0-9])?" "a pod's name" "distill-1"
  check zone "[a-z]+-[a-z]+[0-9]+-[a-z]" "a zone" "us-west4-a"
  check accelerator_type "v[0-9]+[a-z]*-[0-9]+" "a TPU type" "v5litepod-16"
  check runtime_version "[a-z0-9.-]+" "a TPU software version" "v2-alpha-tpuv6e"
  check storage "gs://[a-z0-9][-a-z0-9_.]+[a-z0-9](/[^ ]*)?" \
    "a gs:// folder (a bucket's name has no capitals)" "gs://my-bucket/distill"
  check project "($word)?" "a project" "my-project"
  check network "($word)?" "a network" "default"
  check subnetwork "($word)?" "a subnetwork" "default"
  check service_account "([^ ,@]+@[^ ,@]+)?" "an account's e-mail address" \
    "NAME@PROJECT.iam.gserviceaccount.com"
  check labels "([a-z][-a-z0-9_]*=[-a-z0-9_]*(,|$))*" "a list of labels" \
    "team=nlp,run=first"
  check valid_until_duration "([0-9]+[smhd])*" "a time" "6h"
  [ -z "$spot" ] || [ -z "$reserved" ] \
    || fail "a pod is --spot or --reserved, not both" "leave one of them out"
  check max_restarts "[0-9]+" "a whole number" "100"
  check poll_seconds "[0-9]+(\.[0-9]+)?" "a number of seconds" "60"
  [ -z "$data" ] || [[ $data == gs://* ]] || [ -d "$data" ] \
    || fail "--data='$data' is no folder" "the folder that holds the caches"
}

# Checks COMMAND's flags and gin files from their text, in a second. The hosts
# get the files of this checkout and no others.
check_run() {
  local python files file
  for python in "${PYTHON:-}" .venv/bin/python python3 ""; do
    [ "$python" ] && "$python" -c "import gin" 2> /dev/null && break
  done
  [ "$python" ] || fail "no Python here can read gin files" \
    "run scripts/setup_env.sh, or name one: PYTHON=… $0"
  files=$("$python" -m distill.check_run --pod "$engine" "${arguments[@]}") \
    || exit 2
  while read -r file; do
    [ -z "$file" ] || git ls-files --cached --others --exclude-standard \
      --error-unmatch -- "$file" > /dev/null 2>&1 \
      || fail "the hosts will not have '$file'" \
        "put it into this checkout, where git does not ignore it"
  done <<< "$files"
}

# Prints the words as a shell reads them back.
quoted() {
  local word line=""
  for word in "$@"; do
    case $word in
      *[!A-Za-z0-9_./:=@%+,-]* | '')
        word="'$(printf %s "$word" | sed "s/'/'\\\\''/g")'" ;;
    esac
    line+=" $word"
  done
  echo "${line# }"
}

run() { if [ "$dry_run" ]; then quoted "$@"; else "$@"; fi; }
tpu() {
  run gcloud compute tpus "$@" "--zone=$zone" ${project:+"--project=$project"}
}

send_code_and_data() {
  local pack="git ls-files -z --cached --others --exclude-standard | "
  pack="mkdir -p $here && $pack tar --null -T - -czf $here/code.tgz"
  if [ "$dry_run" ]; then echo "$pack"; else (eval "$pack"); fi
  run gcloud storage cp "$logs/$id/code.tgz" "$there/code.tgz"
  [[ -z $data || $data == gs://* ]] \
    || run gcloud storage rsync "$data" "$storage/data" --recursive
}

# Prints the states of what has the name: `queued-resources state.state`.
list() { tpu "$1" list "--filter=name~(^|/)$name\$" "--format=value($2)"; }

# Prints the pod's state and number of hosts; without a pod, the state of the
# request for it; without either, MISSING. A network may be down for a while.
pod_state() {
  local found
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    if found=$(list tpu-vm "state,networkEndpoints.len()") \
      && { [ "$found" ] || found=$(list queued-resources state.state); }; then
      echo "${found:-MISSING}" && return
    fi
    sleep "$poll_seconds"
  done
  return 1
}

create_pod() {
  local flag options=()
  for flag in network subnetwork service_account labels valid_until_duration; do
    [ -z "${!flag}" ] || options+=("--${flag//_/-}=${!flag}")
  done
  for flag in spot reserved internal_ips; do
    [ -z "${!flag}" ] || options+=("--${flag//_/-}")
  done
  tpu queued-resources create "$name" "--node-id=$name" \
    "--accelerator-type=$accelerator_type" \
    "--runtime-version=$runtime_version" ${options[@]+"${options[@]}"}
}

delete_pod() {
  if [ "$dry_run" ] || [ "$(list queued-resources state.state)" ]; then
    tpu queued-resources delete "$name" --force --quiet
  else
    tpu tpu-vm delete "$name" --quiet
  fi
}

# Waits for a pod that is ready, and sets `hosts`.
get_pod() {
  local state
  while true; do
    state=$(pod_state) || finish 1 "gcloud does not tell the state of $name"
    case $state in
      READY*) hosts=${state##*[[:space:]]} && return ;;
      MISSING)
        requested=$((requested + 1))
        [ "$requested" -le $((max_restarts + 1)) ] \
          || finish 143 "No pod after $max_restarts further requests"
        say "Asking for $accelerator_type in $zone"
        create_pod || [ "$requested" -gt 1 ] || finish 1 "gcloud refuses"
        sleep "$poll_seconds" ;;
      PREEMPTED* | TERMINATED* | SUSPENDED | FAILED)
        say "$name is $state: deleting it"
        delete_pod || finish 1 "gcloud does not delete $name" ;;
      STOPPED* | HIDDEN* | UNKNOWN*)
        finish 1 "$name is $state: start it or delete it" ;;
      *) say "$name: $state" && sleep "$poll_seconds" ;;
    esac
  done
}

# Starts the command on all hosts, where it goes on without this script.
start() {
  local words caches=$storage/data
  [[ $data != gs://* ]] || caches=$data
  words="env$env ${data:+$(quoted "DISTILL_DATA_DIR=$caches") }$(quoted \
    scripts/tpu_worker.sh "$engine" "$there/$attempt" "${arguments[@]}")"
  tpu tpu-vm ssh "$name" --worker=all ${internal_ips:+--internal-ip} \
    --command="mkdir -p distill-run && \
cd distill-run && gcloud storage cp $(quoted "$there/code.tgz") code.tgz && \
tar xzf code.tgz && { setsid $words > /dev/null 2>&1 < /dev/null & }"
}

copy_logs() {
  run gcloud storage rsync "$there/$attempt" "$logs/$id/$attempt" --recursive
}

# Waits for the end of an attempt; sets `outcome`: done, preempted or a code.
watch() {
  local codes state broken=""
  mkdir -p "$logs/$id/$attempt"
  while sleep "$poll_seconds"; do
    copy_logs > "$logs/$id/rsync.log" 2>&1 || true  # no log yet
    codes=" $(cat "$logs/$id/$attempt"/*.rc 2> /dev/null | tr '\n' ' ')" || true
    if [[ $codes == *" 2 "* ]]; then outcome=2 && return; fi
    state=$(pod_state) || finish 1 "gcloud fails; $name may still run"
    outcome="done"
    if [[ $state != READY* ]]; then outcome=preempted && return; fi
    if [[ $codes == *" 143 "* ]]; then
      outcome=preempted  # the other hosts are still saving
    elif [[ $codes =~ \ ([1-9][0-9]*)\  ]]; then
      # A host that is preempted breaks the others first, and is known later.
      outcome=${BASH_REMATCH[1]}
      if [ "$broken" ]; then return; else broken=1 && continue; fi
    fi
    [ "$(wc -w <<< "$codes")" -lt "$hosts" ] || return 0
  done
}

finish() {
  say "$2"
  [ "$1" = 0 ] || tail -n 20 "$logs/$id/$attempt"/*.log >&2 2> /dev/null || true
  say "Logs: $logs/$id and $there"
  if [ -z "$delete" ]; then
    say "$name, if there, costs until it is deleted (--delete)"
  else
    delete_pod || say "gcloud does not delete $name: it still costs"
  fi
  exit "$1"
}

parse_flags "$@"
check_flags
check_run
id=$name/$(date -u +%Y%m%dT%H%M%SZ) attempt=1 requested=0 hosts="" outcome=""
storage=${storage%/} here=$(quoted "$logs/$id") there=${storage%/}/logs/$id

if [ "$dry_run" ]; then
  echo "# once" && send_code_and_data
  echo "# at each attempt: is there a pod, or a request for one? if not, ask"
  list tpu-vm "state,networkEndpoints.len()"
  list queued-resources state.state && create_pod
  echo "# when it is READY" && start
  echo "# every $poll_seconds s, until each host has left its exit code"
  copy_logs
  echo "# after a preemption, before the next attempt${delete:+; at the end}"
  delete_pod
  exit 0
fi

send_code_and_data
while true; do
  get_pod
  say "Attempt $attempt on $hosts hosts"
  if start; then watch; else outcome=preempted && sleep "$poll_seconds"; fi
  case $outcome in
    done) finish 0 "Done" ;;
    preempted) say "Preempted" ;;
    *) finish "$outcome" "A host ended with exit code $outcome" ;;
  esac
  [ "$attempt" -le "$max_restarts" ] || finish 143 "Preempted too often"
  attempt=$((attempt + 1))
done
