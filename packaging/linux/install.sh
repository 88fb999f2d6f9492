#!/bin/bash
# Installs, upgrades and removes the Lumetry agent (or collector) as a systemd service.
# "install.sh --help" tells how. Nothing runs before the last line has arrived.

# What whoever serves this file fills in.
COMPONENT='agent'
VERSION=''
CHECKSUMS=''
BASE_URL=''
CA=''

readonly EXIT_USAGE=2 EXIT_ROOT=3 EXIT_PLATFORM=4 EXIT_CHECKSUM=5 EXIT_SELF_TEST=6 EXIT_HEALTH=7
readonly EXIT_DOWNLOAD=8 EXIT_REFUSED=9 EXIT_BUSY=10
# Tells the authority that this script brought from one that a person gave.
readonly CA_MARK='# the authority of the installer'
readonly LEAST_GLIBC=2.28 LEAST_FREE_MB=400

usage() {
  cat <<'END'
Usage: install.sh --backend URL --enroll-token TOKEN [options]
       install.sh --uninstall [--keep-state]

Installs the Lumetry agent as the service lumetry-agent. Run again, it upgrades and applies the settings that are
named; what is not named stays as it is, and a host that is enrolled needs no token.

  --backend URL               Lumetry's address
  --enroll-token TOKEN        the token of an enrollment profile; --enroll-token-file FILE keeps it out of sight
  --collector URL             go through this collector first; several separated by commas
  --collector-fingerprint F   trust only a collector with this key, as "lumetry collectors show" tells it
  --direct on|off             whether to go to Lumetry directly when no collector has a way there
  --cluster NAME              ask for a place in this cluster, or
  --cluster_id ID             in the cluster with this id
  --proxy URL                 an HTTP proxy, for the download and on the way to Lumetry
  --ca-file FILE              a private certificate authority to trust, in PEM form
  --allow-cleartext           accept an address of Lumetry that starts with http:
  --package FILE              install this file instead of downloading; the checksum is that in this script, or in
                              the file SHA256SUMS beside it
  --base-url URL              download from here instead
  --set NAME=VALUE            any other setting, such as queue-limit=1GB; may be repeated
  --component collector       install a collector, as lumetry-collector; --enroll-token is then its one-time token
  --re-enroll                 give up the identity of this host, and enroll it anew
  --dry-run                   check and tell what would be done, and change nothing
  --version                   tell which version this script installs
  --wait SECONDS              how long to wait for the enrollment; 30 unless given
  --uninstall                 remove service, program and state; with --keep-state, identity and queue stay

Each can be written --name VALUE or --name=VALUE.

Ends with 0 done, 2 mistake in the command, 3 not root, 4 this host will not do, 5 wrong checksum, 6 the program does
not run here, 7 it ran and did not become well (an upgrade was rolled back), 8 download failed, 9 installed, but Lumetry
refused the enrollment, 10 another installation is under way, 1 anything else.
END
}

say() { printf 'lumetry: %s\n' "$*" >&2; }
die() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

# ---- the command line ----

read_flags() {
  component=$COMPONENT action=install keep_state=0 dry_run=0 re_enroll=0 wait_s=30
  token='' token_file='' package='' base_url=$BASE_URL ca_file='' proxy=''
  cluster='' cluster_id='' backend='' collector=''
  settings=()
  local name value
  while [ $# -gt 0 ]; do
    case $1 in
      --*=*) name=${1%%=*} value=${1#*=} ;;
      --uninstall | --keep-state | --dry-run | --allow-cleartext | --re-enroll | --version | --help | -h) name=$1 value='' ;;
      --*)
        name=$1
        [ $# -ge 2 ] || die $EXIT_USAGE "$name needs a value; --help lists what there is"
        value=$2
        shift
        ;;
      *) die $EXIT_USAGE "\"$1\" is no option; --help lists what there is" ;;
    esac
    shift
    case $name in
      --backend) backend=$value settings+=(--server "$value") ;;
      --enroll-token) token=$value ;;
      --enroll-token-file) token_file=$value ;;
      --collector) collector=$value settings+=(--collector "$value") ;;
      --collector-fingerprint) settings+=(--collector-fingerprint "$value") ;;
      --direct) settings+=(--direct "$value") ;;
      --cluster) cluster=$value ;;
      --cluster_id | --cluster-id) cluster_id=$value ;;
      --proxy) proxy=$value settings+=(--proxy "$value") ;;
      --ca-file) ca_file=$value ;;
      --allow-cleartext) settings+=(--allow-cleartext "${value:-true}") ;;
      --package) package=$value ;;
      --base-url) base_url=${value%/} ;;
      --set)
        case $value in
          [a-z]*=*) settings+=("--${value%%=*}" "${value#*=}") ;;
          *) die $EXIT_USAGE "--set takes NAME=VALUE, such as queue-limit=1GB" ;;
        esac
        ;;
      --component) component=$value ;;
      --re-enroll) re_enroll=1 ;;
      --dry-run) dry_run=1 ;;
      --wait) wait_s=$value ;;
      --uninstall) action=uninstall ;;
      --keep-state) keep_state=1 ;;
      --help | -h)
        usage
        exit 0
        ;;
      --version)
        printf '%s\n' "${VERSION:-none}"
        exit 0
        ;;
      *) die $EXIT_USAGE "there is no option $name; --help lists what there is" ;;
    esac
  done
  check_flags
}

check_flags() {
  case $component in
    agent | collector) ;;
    *) die $EXIT_USAGE "--component takes agent or collector" ;;
  esac
  [ -z "$cluster" ] || [ -z "$cluster_id" ] ||
    die $EXIT_USAGE "--cluster and --cluster_id both say where this host belongs; give one of them"
  [ -z "$token" ] || [ -z "$token_file" ] ||
    die $EXIT_USAGE "--enroll-token and --enroll-token-file both give a token; give one of them"
  [ $keep_state = 0 ] || [ $action = uninstall ] ||
    die $EXIT_USAGE "--keep-state belongs to --uninstall"
  case $wait_s in '' | *[!0-9]*) die $EXIT_USAGE "--wait takes a number of seconds" ;; esac
  local file
  for file in "$token_file" "$ca_file" "$package"; do
    [ -z "$file" ] || [ -r "$file" ] || die $EXIT_USAGE "$file cannot be read"
  done
  [ -z "$token_file" ] || token=$(tr -d '[:space:]' <"$token_file")
  case $component:$token in
    *: | agent:lmtae_* | collector:lmtce_*) ;;
    agent:*) die $EXIT_USAGE "that is no token of an enrollment profile, which begins with lmtae_" ;;
    *) die $EXIT_USAGE "that is no enrollment token of a collector, which begins with lmtce_" ;;
  esac
}

# ---- the host ----

check_host() {
  [ "$(uname -s)" = Linux ] || die $EXIT_PLATFORM "this installer is for Linux"
  case $(uname -m) in
    x86_64 | amd64) arch=x64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) die $EXIT_PLATFORM "there is no package for the processor $(uname -m): Lumetry runs on x86_64 and aarch64" ;;
  esac
  [ "$(getconf LONG_BIT 2>/dev/null || echo 64)" = 64 ] ||
    die $EXIT_PLATFORM "this system is a 32-bit one on a 64-bit kernel; Lumetry needs a 64-bit system"
  local libc
  libc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2) || libc=''
  [ -n "$libc" ] ||
    die $EXIT_PLATFORM "this system has no glibc (it may be Alpine); Lumetry needs glibc $LEAST_GLIBC or later"
  [ "$(printf '%s\n' $LEAST_GLIBC "$libc" | sort -V | head -n1)" = $LEAST_GLIBC ] ||
    die $EXIT_PLATFORM "this system has glibc $libc; Lumetry needs $LEAST_GLIBC or later (Debian 10, RHEL 8, Ubuntu 20.04)"
  [ -d /run/systemd/system ] || die $EXIT_PLATFORM "systemd does not run this host, and the service needs it"
  local tool
  for tool in tar gzip sha256sum flock runuser useradd systemctl; do
    command -v "$tool" >/dev/null || die $EXIT_PLATFORM "this host has no $tool, which the installer needs"
  done
}

# Folders that another user may change could make root write anywhere.
check_places() {
  local place
  for place in "$PREFIX" "$ETC"; do
    [ -e "$place" ] || [ -L "$place" ] || continue
    if [ -L "$place" ] || [ ! -d "$place" ] || [ "$(stat -c %u "$place")" != 0 ] ||
      [ -n "$(find "$place" -maxdepth 0 -perm /022)" ]; then
      die $EXIT_PLATFORM "$place is not a folder that root alone can change; move it away, and look who made it"
    fi
  done
  [ ! -L "$STATE" ] || die $EXIT_PLATFORM "$STATE is a symbolic link; mount or bind the place there instead"
  local free
  place=$(dirname "$PREFIX")
  [ -d "$place" ] || place=/
  free=$(df -Pk "$place" | awk 'NR == 2 { print int($4 / 1024) }')
  [ "$free" -ge $LEAST_FREE_MB ] ||
    die $EXIT_PLATFORM "$place has $free MB free; the installation needs $LEAST_FREE_MB MB"
}

is_enrolled() {
  [ $re_enroll = 0 ] && runuser -u "$SERVICE" -- grep -q '"credential"' "$STATE/identity.json" 2>/dev/null
}

# Lumetry has answered to the identity that is there.
is_confirmed() {
  # shellcheck disable=SC2016 # the inner shell is to see "$1"
  runuser -u "$SERVICE" -- sh -c 'grep -q "\"credential\"" "$1" && ! grep -q "\"enrollmentNonce\"" "$1"' \
    sh "$STATE/identity.json" 2>/dev/null
}

# ---- the package ----

fetch() {
  local url=$1 to=$2
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --retry 3 --connect-timeout 20 --proto '=http,https' --proto-redir '=http,https' \
      ${proxy:+--proxy "$proxy"} ${trust:+--cacert "$trust"} --output "$to" "$url"
  elif command -v wget >/dev/null; then
    https_proxy=$proxy http_proxy=$proxy wget --quiet --tries=3 --timeout=20 ${trust:+--ca-certificate="$trust"} \
      --output-document="$to" "$url"
  else
    die $EXIT_PLATFORM "this host has neither curl nor wget; give a file with --package"
  fi
}

# The line of the package for this host, in a list of checksums: "<sha256>  <file>".
line_for() {
  grep -E "^[0-9a-f]{64} [ *]lumetry-$component-[0-9A-Za-z.+-]+-linux-$arch\.tar\.gz\$" | head -n1
}

find_package() {
  local line
  if [ -n "$package" ]; then
    local sums=$CHECKSUMS beside
    beside=$(dirname "$package")/SHA256SUMS
    [ -n "$sums" ] || { [ -r "$beside" ] && sums=$(cat "$beside"); } ||
      die $EXIT_CHECKSUM "there is no checksum for $package: put the file SHA256SUMS of its release beside it"
    line=$(printf '%s\n' "$sums" | grep -E " [ *]$(basename "$package" | sed 's/[.+]/\\&/g')\$" | head -n1) ||
      die $EXIT_CHECKSUM "$(basename "$package") is none of the packages that checksums are known for"
    case $line in
      *"  lumetry-$component-"*"-linux-$arch.tar.gz") ;;
      *) die $EXIT_PLATFORM "$(basename "$package") is not the $component for linux-$arch, which this host needs" ;;
    esac
  else
    [ -n "$base_url" ] || die $EXIT_USAGE "this script does not know where packages are: give --package or --base-url"
    line=$(printf '%s\n' "$CHECKSUMS" | line_for) ||
      die $EXIT_PLATFORM "there is no package of the $component for linux-$arch at $base_url"
  fi
  sha256=${line%% *}
  file=${line##*[ *]}
  name=${file%.tar.gz}
  version=${name#"lumetry-$component-"}
  version=${version%"-linux-$arch"}
}

# Puts the unpacked package into $new, below the folder that it stays in: /tmp may be small or not executable.
get_package() {
  work=$(mktemp -d "$PREFIX/.install.XXXXXX")
  local archive=$work/$file
  if [ -n "$package" ]; then
    cp -- "$package" "$archive" || die 1 "$package cannot be copied to $PREFIX"
  else
    say "downloading $file"
    fetch "$base_url/$file" "$archive" ||
      die $EXIT_DOWNLOAD "$base_url/$file cannot be downloaded; nothing was changed. Behind a proxy, give --proxy; without a network, --package"
  fi
  printf '%s  %s\n' "$sha256" "$archive" | sha256sum --check --status - ||
    die $EXIT_CHECKSUM "$file is not what was released: its checksum is wrong. Nothing was changed; try again, and if it stays so, tell whoever runs Lumetry"
  tar -xzf "$archive" -C "$work" --no-same-owner --no-same-permissions ||
    die 1 "$file cannot be unpacked in $PREFIX; nothing was changed"
  rm -f "$archive"
  new=$work/$name
  [ -f "$new/bin/node" ] || die 1 "$file does not hold what it should; nothing was changed"
  local words
  words=$(cd / && "$new/bin/node" "$new/app/$component.mjs" self-test 2>&1) ||
    die $EXIT_SELF_TEST "$component $version does not run on this host; nothing was changed:
$words"
}

# ---- settings ----

# Makes $ETC/settings.json.new of what is there and what was asked for; ends when that will not do.
stage_settings() {
  # An authority of this script's may take the place of one like it, never of one that a person has given.
  if [ -n "$CA" ] && [ -z "$ca_file" ] && { [ ! -e "$ETC/ca.pem" ] || grep -qxF "$CA_MARK" "$ETC/ca.pem"; }; then
    ca_file=$trust
  fi
  rm -f "$ETC"/{settings.json,ca.pem}.{new,old}
  if [ -n "$ca_file" ]; then
    install -m 0644 "$ca_file" "$ETC/ca.pem.new"
    settings+=(--ca "$ETC/ca.pem" --ca-source "$ETC/ca.pem.new")
  fi
  settings+=(--enrollment-token-file "$STATE/enrollment-token" --data-dir "$STATE")
  [ ! -e "$ETC/settings.json" ] || cp -p "$ETC/settings.json" "$ETC/settings.json.new"
  # A wish by name takes the place of one by id, and the other way round; an empty one is none.
  [ -z "$cluster" ] || settings+=(--cluster "$cluster" --remove cluster-id)
  [ -z "$cluster_id" ] || settings+=(--cluster-id "$cluster_id" --remove cluster)
  changes=$("$new/bin/node" "$new/app/$component.mjs" configure --settings-file "$ETC/settings.json.new" "${settings[@]}") ||
    die $EXIT_USAGE "nothing was changed"
  if [ -n "$ca_file" ] && ! cmp -s "$ETC/ca.pem.new" "$ETC/ca.pem"; then
    changes="$changes${changes:+
}the certificate authority is another one"
  fi
}

apply_settings() {
  local each
  for each in ca.pem settings.json; do
    [ -e "$ETC/$each.new" ] || continue
    [ ! -e "$ETC/$each" ] || cp -p "$ETC/$each" "$ETC/$each.old" || return 1
    [ -e "$ETC/$each" ] || added+=("$ETC/$each")
    mv -f "$ETC/$each.new" "$ETC/$each" || return 1
  done
  chgrp "$SERVICE" "$ETC/settings.json"
}

restore_settings() {
  # Without settings from before, those that were tried stay as a whole, to be looked at.
  [ -e "$ETC/settings.json.old" ] || return 0
  [ ${#added[@]} = 0 ] || rm -f "${added[@]}"
  local each
  for each in ca.pem settings.json; do
    [ ! -e "$ETC/$each.old" ] || mv -f "$ETC/$each.old" "$ETC/$each" || return 1
  done
}

# With --re-enroll, the identity from before is kept beside the new one until that has worked.
set_identity_aside() {
  [ $re_enroll = 1 ] || return 0
  systemctl stop "$SERVICE" 2>/dev/null || true
  if is_confirmed; then
    runuser -u "$SERVICE" -- mv -f -- "$STATE/identity.json" "$STATE/identity.json.old"
  else
    runuser -u "$SERVICE" -- rm -f -- "$STATE/identity.json"
  fi
}

# Answers whether the host is again who it was.
restore_identity() {
  runuser -u "$SERVICE" -- test -e "$STATE/identity.json.old" 2>/dev/null || return 1
  ! is_confirmed || return 1
  runuser -u "$SERVICE" -- mv -f -- "$STATE/identity.json.old" "$STATE/identity.json"
}

forget_old_identity() {
  ! is_confirmed || runuser -u "$SERVICE" -- rm -f -- "$STATE/identity.json.old"
}

# Written as the service's user, so that nothing it may have planted in its folder is followed as root.
give_token() {
  # shellcheck disable=SC2016 # the inner shell is to see "$1"
  printf '%s\n' "$token" | runuser -u "$SERVICE" -- sh -c \
    'umask 077 && rm -f -- "$1" && cat >"$1"' sh "$STATE/enrollment-token"
}

# ---- the service ----

switch_to() {
  ln -sfn "versions/$1" "$PREFIX/.current" &&
    mv -Tf "$PREFIX/.current" "$PREFIX/current" &&
    install -m 0644 "$PREFIX/current/$SERVICE.service" "$UNIT" &&
    systemctl daemon-reload
}

# What the program itself has written of how it is, a line of JSON a member; read as its user, and not for ever.
ask_status() { runuser -u "$SERVICE" -- timeout 5 head -c 65536 "$STATE/status.json" 2>/dev/null || true; }
member() { sed -n "s/,\$//; s/^  \"$1\": \"\{0,1\}\(.*[^\"]\)\"\{0,1\}\$/\1/p" | sed 's/\\"/"/g' | head -n1; }

# Well is: it runs, and this very version and process has written its status. Whether Lumetry can be reached is another
# matter: an upgrade is never rolled back because a network is away.
is_well() {
  local pid status
  systemctl is-active --quiet "$SERVICE" || return 1
  pid=$(systemctl show --property MainPID --value "$SERVICE")
  status=$(ask_status)
  [ "$(printf '%s\n' "$status" | member pid)" = "$pid" ] && [ "$(printf '%s\n' "$status" | member version)" = "$version" ]
}

# What it ends with when starting it again is of no use: 2 for its settings, 78 when a person has to do something.
has_ended() {
  case $(systemctl show --property ExecMainStatus --value "$SERVICE") in
    2 | 78) ;;
    *) return 1 ;;
  esac
}

# This very start ended because Lumetry will not have it: it is as well as can be.
is_refused() {
  local pid status
  has_ended || return 1
  pid=$(systemctl show --property ExecMainPID --value "$SERVICE")
  status=$(ask_status)
  [ "$(printf '%s\n' "$status" | member pid)" = "$pid" ] && [ "$(printf '%s\n' "$status" | member state)" = refused ] &&
    [ "$(printf '%s\n' "$status" | member version)" = "$version" ]
}

last_words() { journalctl "_SYSTEMD_UNIT=$SERVICE.service" --lines "$1" --no-pager --output cat; }

become_well() {
  local left=40 well=0
  while [ $left -gt 0 ]; do
    if has_ended; then
      is_refused
      return
    fi
    # Twice in a row, a second apart: one that dies at once has been well for a moment, too.
    if is_well; then well=$((well + 1)); else well=0; fi
    [ $well -lt 2 ] || return 0
    [ "$(systemctl show --property NRestarts --value "$SERVICE")" -lt 3 ] || return 1
    sleep 1
    left=$((left - 1))
  done
  return 1
}

# Puts the new version in its place and starts it. Fails when that does not go, or when it does not become well.
take_place() {
  local place=$PREFIX/versions/$version
  if [ "$new" != "$place" ]; then
    # The one that runs may be of the same version: it goes only once the new one is well.
    [ ! -d "$place" ] || mv "$place" "$work/replaced" || return 1
    mv "$new" "$place" || return 1
    sync -f "$place" 2>/dev/null || sync
  fi
  set_identity_aside || return 1
  [ $with_token = 0 ] || give_token || return 1
  apply_settings || return 1
  switch_to "$version" || return 1
  systemctl enable --quiet "$SERVICE" || return 1
  [ $restart = 1 ] || return 0
  systemctl reset-failed "$SERVICE" 2>/dev/null || true
  systemctl restart "$SERVICE" || true
  become_well
}

roll_back() {
  say "$component $version could not be put in place, or did not become well:"
  last_words 15 >&2 || true
  systemctl stop "$SERVICE" 2>/dev/null || true
  restore_settings || say "the settings from before are in $ETC/settings.json.old"
  restore_identity || true
  local is_kept=0
  if [ -n "$work" ] && [ -d "$work/replaced" ]; then
    rm -rf "${PREFIX:?}/versions/$version"
    mv "$work/replaced" "$PREFIX/versions/$version"
    is_kept=1
  fi
  if [ -z "$previous" ] || [ ! -d "$PREFIX/versions/$previous" ]; then
    systemctl restart "$SERVICE" || true
    die $EXIT_HEALTH "the service is installed and does not work; look at: journalctl -u $SERVICE"
  fi
  switch_to "$previous" || say "$PREFIX/current could not be switched back to $previous"
  systemctl restart "$SERVICE" || true
  [ "$previous" = "$version" ] || [ $is_kept = 1 ] || rm -rf "${PREFIX:?}/versions/$version"
  die $EXIT_HEALTH "back to $component $previous as it was before, with its settings"
}

# Ends, telling why Lumetry will not have this host.
tell_refusal() {
  local problem=$1
  if restore_identity; then
    systemctl restart "$SERVICE" || true
    die $EXIT_REFUSED "$component $version is installed, but Lumetry refused to enroll it anew: $problem
The host goes on as who it was before. Run the installer again with another --enroll-token and --re-enroll"
  fi
  die $EXIT_REFUSED "$component $version is installed, but Lumetry refused it: $problem
Run the installer again with a new --enroll-token, and --re-enroll if it was enrolled before"
}

wait_for_enrollment() {
  local left=$wait_s status state
  while :; do
    status=$(ask_status)
    state=$(printf '%s\n' "$status" | member state)
    case $state in
      connected) break ;;
      refused) tell_refusal "$(printf '%s\n' "$status" | member problem)" ;;
    esac
    if has_ended; then
      # It may have said why since its status was read.
      ! is_refused || continue
      die $EXIT_REFUSED "$component $version is installed, but does not run: $(last_words 1)"
    fi
    if [ "$left" -le 0 ]; then
      say "$component $version runs; it has not reached Lumetry yet, keeps what it measures, and goes on trying"
      say "why: $(printf '%s\n' "$status" | member problem); look with: $SERVICE status"
      return
    fi
    sleep 1
    left=$((left - 1))
  done
  forget_old_identity
  say "$component $version runs as the service $SERVICE and is connected as $(printf '%s\n' "$status" | member edgeId)"
  local placement
  placement=$(printf '%s\n' "$status" | member placement)
  [ -z "$placement" ] || say "placement: $placement"
}

# ---- what it does ----

do_install() {
  check_host
  check_places
  find_package
  local installed=''
  [ ! -L "$PREFIX/current" ] || installed=$(basename "$(readlink "$PREFIX/current")")
  if [ -z "$backend" ] && [ ! -e "$ETC/settings.json" ] && { [ "$component" = collector ] || [ -z "$collector" ]; }; then
    die $EXIT_USAGE "--backend is missing: give Lumetry's address, as the command that it shows does"
  fi
  if ! is_enrolled && [ -z "$token" ] && ! runuser -u "$SERVICE" -- test -e "$STATE/enrollment-token" 2>/dev/null; then
    die $EXIT_USAGE "--enroll-token is missing: this host is not enrolled yet"
  fi
  if [ $dry_run = 1 ]; then
    say "would install $component $version for linux-$arch from ${package:-$base_url/$file}"
    say "its SHA-256 has to be $sha256"
    [ -z "$installed" ] || say "it would take the place of $installed"
    say "files: $PREFIX, $ETC, $STATE, $UNIT, /usr/local/bin/$SERVICE; user: $SERVICE"
    is_enrolled && say "this host is enrolled and would stay so"
    say "nothing was changed"
    return
  fi

  made_places=1
  mkdir -p "$PREFIX/versions" "$ETC"
  if [ -n "$CA" ]; then
    trust=$(mktemp "$PREFIX/.ca.XXXXXX")
    printf '%s\n' "$CA_MARK" "$CA" >"$trust"
  fi
  [ -z "$ca_file" ] || { rm -f "$trust"; trust=$ca_file; }
  # The same version again is not downloaded again, if what is there is whole.
  if [ "$installed" = "$version" ] && [ "$(cat "$PREFIX/versions/$version/.sha256" 2>/dev/null)" = "$sha256" ] &&
    (cd "$PREFIX/versions/$version" && sha256sum --check --status SHA256SUMS); then
    new=$PREFIX/versions/$version
  else
    get_package
    printf '%s\n' "$sha256" >"$new/.sha256"
  fi
  stage_settings
  if ! is_enrolled; then
    # Before the token is spent: tells what stands in the way, and hinders nothing.
    "$new/bin/node" "$new/app/$component.mjs" doctor --settings-file "$ETC/settings.json.new" \
      ${ca_file:+--ca "$ETC/ca.pem.new"} --data-dir "$STATE" >&2 || true
  fi

  getent passwd "$SERVICE" >/dev/null ||
    useradd --system --user-group --home-dir "$STATE" --no-create-home --shell /usr/sbin/nologin "$SERVICE" ||
    die 1 "the user $SERVICE cannot be made"
  [ -d "$STATE" ] || install -d -m 0700 -o "$SERVICE" -g "$SERVICE" "$STATE"
  with_token=0
  if [ -n "$token" ] && ! is_enrolled; then with_token=1; fi

  previous=$installed restart=1
  if [ "$new" = "$PREFIX/versions/$version" ] && [ -z "$changes" ] && [ $with_token = 0 ] && [ $re_enroll = 0 ] && is_well; then
    restart=0
  fi
  take_place || roll_back
  token=''
  [ -e "/usr/local/bin/$SERVICE" ] || ln -sfn "$PREFIX/current/bin/$SERVICE" "/usr/local/bin/$SERVICE" ||
    say "/usr/local/bin/$SERVICE could not be made; the command is $PREFIX/current/bin/$SERVICE"
  if [ -n "$changes" ] && [ -n "$installed" ]; then say "settings: $changes"; fi
  rm -f "$ETC/settings.json.old" "$ETC/ca.pem.old"
  [ -z "$installed" ] || [ "$installed" = "$version" ] || say "$component $version took the place of $installed"
  # Settings alone, or what was broken off, say nothing of which was the one before.
  [ "$previous" = "$version" ] || forget_old_versions
  if [ $restart = 0 ]; then
    forget_old_identity
    say "$component $version is installed already, and nothing was to be changed"
    return
  fi
  wait_for_enrollment
}

# The one that runs and the one before it stay.
forget_old_versions() {
  local each
  for each in "$PREFIX"/versions/*; do
    case ${each##*/} in
      "$version" | "$previous") ;;
      *) rm -rf "$each" ;;
    esac
  done
}

# A folder that something is mounted on can only be emptied.
remove_folder() {
  rm -rf --one-file-system "$1" 2>/dev/null && return
  find "$1" -xdev -mindepth 1 -delete || true
  say "$1 stays, since it cannot be removed: something may be mounted there"
}

do_uninstall() {
  if [ $dry_run = 1 ]; then
    say "would remove the service $SERVICE, $PREFIX, /usr/local/bin/$SERVICE$([ $keep_state = 1 ] || printf %s ", $ETC, $STATE and the user $SERVICE")"
    say "nothing was changed"
    return
  fi
  systemctl disable --now --quiet "$SERVICE" 2>/dev/null || true
  rm -rf "$UNIT" "$UNIT.d"
  systemctl daemon-reload 2>/dev/null || true
  systemctl reset-failed "$SERVICE" 2>/dev/null || true
  [ "$(readlink "/usr/local/bin/$SERVICE")" != "$PREFIX/current/bin/$SERVICE" ] || rm -f "/usr/local/bin/$SERVICE"
  remove_folder "${PREFIX:?}"
  if [ $keep_state = 1 ]; then
    say "$SERVICE is removed; identity, queue and settings are kept in $STATE and $ETC"
    return
  fi
  remove_folder "${STATE:?}"
  remove_folder "${ETC:?}"
  ! getent passwd "$SERVICE" >/dev/null || userdel "$SERVICE" >/dev/null 2>&1 || true
  ! getent group "$SERVICE" >/dev/null || groupdel "$SERVICE" >/dev/null 2>&1 || true
  say "$SERVICE is removed, and nothing of it is left; revoke the $component in Lumetry, too"
}

cleanup() {
  [ "$made_places" = 1 ] || return 0
  [ -z "${work:-}" ] || rm -rf "$work"
  rm -f "$ETC/settings.json.new" "$ETC/ca.pem.new" "$PREFIX/.ca."??????
  # Nothing of a first attempt that failed stays behind.
  rmdir "$PREFIX/versions" "$PREFIX" "$ETC" 2>/dev/null || true
}

main() {
  set -euo pipefail
  # Whatever the caller's environment holds, these tools and no others.
  PATH=/usr/sbin:/usr/bin:/sbin:/bin
  export PATH LC_ALL=C
  unset LD_PRELOAD LD_LIBRARY_PATH BASH_ENV ENV CDPATH TAR_OPTIONS GZIP POSIXLY_CORRECT NODE_OPTIONS NODE_EXTRA_CA_CERTS
  umask 022

  read_flags "$@"
  SERVICE=lumetry-$component
  PREFIX=/opt/$SERVICE ETC=/etc/$SERVICE STATE=/var/lib/$SERVICE
  UNIT=/etc/systemd/system/$SERVICE.service
  work='' trust='' changes='' previous='' new='' made_places=0 restart=1 with_token=0
  added=()
  [ "$(id -u)" = 0 ] || die $EXIT_ROOT "this needs root: put sudo before bash"
  if [ $dry_run = 0 ]; then
    exec 9>"/run/$SERVICE-install.lock"
    flock --wait 600 9 || die $EXIT_BUSY "another installation of $SERVICE is under way"
    trap cleanup EXIT
  fi
  "do_$action"
}

main "$@"
