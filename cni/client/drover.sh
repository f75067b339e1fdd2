#!/bin/sh
# The file that a container runtime executes as a CNI plugin, where no compiler was there to make the smaller one of
# drover.c; it does the same. Environment and standard input go to the agent's socket as one form, every byte encoded,
# so nothing of it becomes part of a command; the answer's body goes to standard output, and a status other than 200
# becomes exit status 1. Without curl, Node does it.
#
# Written by `drover install cni`, which fills in what stands between @.
export LC_ALL=C
socket='@SOCKET@'
journal='@JOURNAL@'
node='@NODE@'
client='@CLIENT@'
plugin=${0##*/}
newline='
'

fail() {
  printf '{"cniVersion":"1.0.0","code":%s,"msg":"%s","details":"%s"}\n' "$1" "$2" "$3"
  exit 1
}

explain() {
  cat >&2 <<'TEXT'
drover @VERSION@: a CNI plugin, specification 0.1.0 to 1.1.0.
A container runtime executes it and tells it what to do by CNI_COMMAND (ADD, DEL, CHECK, GC, STATUS, VERSION),
the other CNI_ variables, and a network configuration on standard input. The work is done by the agent of this
node behind @SOCKET@. 'drover install cni --help' says how to set it up.
TEXT
}

# A name of the specification's alphabet, which is also safe as part of a file's name.
is_name() {
  case $1 in
  '' | .* | -* | *[!A-Za-z0-9_.-]*) return 1 ;;
  esac
  [ "${#1}" -le "$2" ]
}

# DEL without an agent: an empty file <container>:<interface>[:ipam] which the agent carries out when it is back.
promise() {
  is_name "${CNI_CONTAINERID-}" 200 || fail 4 'CNI_CONTAINERID is missing or is no container id.' ''
  is_name "${CNI_IFNAME-}" 15 || fail 4 'CNI_IFNAME is missing or is no interface name.' ''
  name="$journal/$CNI_CONTAINERID:$CNI_IFNAME"
  [ "$plugin" = drover-ipam ] && name="$name:ipam"
  umask 077
  if mkdir -p -- "$journal" 2>/dev/null && : >"$name"; then
    sync -- "$journal" 2>/dev/null || sync
    return
  fi
  fail 5 'The agent is not running, and its journal can not be written.' "$journal"
}

case ${1-} in
-h | --help | -v | --version)
  explain
  exit 0
  ;;
esac
if [ -z "${CNI_COMMAND-}" ]; then
  explain
  fail 4 'CNI_COMMAND is missing.' 'A container runtime sets it.'
fi
if ! command -v curl >/dev/null 2>&1; then
  [ -x "$node" ] && exec "$node" "$client" "$plugin" "$socket" "$journal"
  fail 5 'Neither curl nor Node is there to ask the agent with.' "Install curl, or run 'drover install cni' again."
fi

[ "$plugin" = drover-ipam ] || plugin=drover
answer=$(
  curl -q --silent --noproxy '*' --unix-socket "$socket" --max-time 150 --write-out '\n%{http_code}' \
    --data-urlencode "plugin=$plugin" \
    --data-urlencode "CNI_COMMAND=$CNI_COMMAND" \
    --data-urlencode "CNI_CONTAINERID=${CNI_CONTAINERID-}" \
    --data-urlencode "CNI_NETNS=${CNI_NETNS-}" \
    --data-urlencode "CNI_IFNAME=${CNI_IFNAME-}" \
    --data-urlencode "CNI_ARGS=${CNI_ARGS-}" \
    --data-urlencode "CNI_PATH=${CNI_PATH-}" \
    --data-urlencode "CNI_NETNS_OVERRIDE=${CNI_NETNS_OVERRIDE-}" \
    --data-urlencode 'stdin@-' \
    http://drover/cni
) && {
  printf '%s' "${answer%"$newline"*}"
  [ "${answer##*"$newline"}" = 200 ]
  exit
}
case $CNI_COMMAND in
VERSION)
  echo '{"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}'
  ;;
DEL) promise ;;
STATUS) fail 51 'The Drover agent of this node does not answer.' "Nobody answers on $socket. Start the agent: systemctl start drover" ;;
*) fail 11 'The Drover agent of this node does not answer.' "Nobody answers on $socket. Start the agent: systemctl start drover" ;;
esac
