#!/bin/sh
# Installs Edgent on Debian 12 or newer, and what descends from it, as a service that is left running.
#
#   sudo sh deploy/install.sh edge|device|frigate [--from WHEEL] [--dry-run]
#
# It may be run again at any time: it does what is missing, says so, and keeps settings as they are. With --dry-run it
# says what it would do, and changes nothing. --from names a wheel in place of the release on PyPI.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
venv=/opt/edgent
settings=/etc/edgent/settings.toml
role='' from='' dry=''

usage() {
  echo "usage: $0 edge|device|frigate [--from WHEEL] [--dry-run]" >&2
  exit 2
}

fail() {
  echo "install.sh: $1" >&2
  exit 1
}

# Says what is done, and does it unless this is a dry run.
run() {
  echo "+ $*"
  [ -n "$dry" ] || "$@"
}

while [ $# -gt 0 ]; do
  case $1 in
    edge | device | frigate) [ -z "$role" ] || usage; role=$1 ;;
    --from) [ $# -gt 1 ] || usage; from=$2; shift ;;
    --dry-run) dry=yes ;;
    *) usage ;;
  esac
  shift
done
case $role in
  edge) verb=serve extras=dashboard ;;
  device) verb=run extras=video,mqtt,dashboard ;;
  frigate) verb=frigate extras=frigate,mqtt,dashboard ;;
  *) usage ;;
esac

check_machine() {
  [ -n "$dry" ] || [ "$(id -u)" = 0 ] || fail "only root can install a service: run it with sudo"
  [ -e /etc/debian_version ] || fail "found no Debian here; docs/deployment.md has the steps for other systems"
  [ -z "$from" ] || [ -f "$from" ] || fail "$from: no such wheel; build one with: python -m build --wheel"
}

install_packages() {
  missing=''
  for package in python3 python3-venv ca-certificates procps; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
  done
  if [ -n "$missing" ]; then
    run apt-get update -q
    # shellcheck disable=SC2086 # several words are meant
    run apt-get install -q -y --no-install-recommends $missing
  fi
  [ -n "$dry" ] || python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "found $(python3 --version), expected Python 3.11 or newer: take Debian 12 or newer"
}

# A user of its own, whose home holds what must not be lost: keys, and what was joined.
make_user() {
  getent passwd edgent >/dev/null ||
    run useradd --system --user-group --home-dir /var/lib/edgent --shell /usr/sbin/nologin edgent
}

install_edgent() {
  [ -x "$venv/bin/python" ] || run python3 -m venv "$venv"
  if [ -n "$from" ]; then
    wheel=$(cd "$(dirname "$from")" && pwd)/$(basename "$from")
    run "$venv/bin/python" -m pip install -q --disable-pip-version-check --upgrade "edgent[$extras] @ file://$wheel"
  else
    run "$venv/bin/python" -m pip install -q --disable-pip-version-check --upgrade "edgent[$extras]"
  fi
}

# Copies a file where it differs. Changes of one's own are not lost where they belong: `systemctl edit edgent-edge`.
copy() {
  cmp -s "$1" "$2" || run install -D -m 644 "$1" "$2"
}

# Passwords of sinks may stand there: it is for root and for the service.
write_settings() {
  if [ ! -e "$settings" ]; then
    run install -D -m 640 -g edgent "$here/settings/$role.toml" "$settings"
  elif ! grep -q "^\[$verb\]" "$settings"; then
    echo "+ add [$verb] of $here/settings/$role.toml to $settings"
    [ -n "$dry" ] || { echo; cat "$here/settings/$role.toml"; } >>"$settings"
  fi
}

# After a pause TCP would begin anew with 14 kB: every message above that would wait for a round trip or more.
keep_window() {
  copy "$here/sysctl/60-edgent.conf" /etc/sysctl.d/60-edgent.conf
  if [ "$(cat /proc/sys/net/ipv4/tcp_slow_start_after_idle 2>/dev/null || echo 0)" != 0 ]; then
    run sysctl -q -p "$here/sysctl/60-edgent.conf" ||
      echo "install.sh: the kernel refuses net.ipv4.tcp_slow_start_after_idle=0 here (a container?); set it on the host" >&2
  fi
}

install_unit() {
  copy "$here/systemd/edgent-.service.d/50-edgent.conf" /etc/systemd/system/edgent-.service.d/50-edgent.conf
  copy "$here/systemd/edgent-$role.service" "/etc/systemd/system/edgent-$role.service"
  if [ -d /run/systemd/system ]; then
    run systemctl daemon-reload
    run systemctl enable "edgent-$role.service"
    run systemctl restart "edgent-$role.service"
  elif command -v systemctl >/dev/null; then
    run systemctl enable "edgent-$role.service"
    echo "systemd does not run here; the service starts with the machine"
  else
    echo "there is no systemd here; start it by: $venv/bin/edgent --config $settings $verb"
  fi
}

# Read by logrotate, where that is installed.
keep_records_by_day() {
  copy "$here/logrotate/edgent" /etc/logrotate.d/edgent
}

check_machine
install_packages
make_user
install_edgent
write_settings
keep_window
keep_records_by_day
install_unit

[ -z "$dry" ] || exit 0
cat <<END
edgent-$role is installed.
  settings:  $settings, then: sudo systemctl restart edgent-$role
  check:     sudo $venv/bin/edgent config check $settings
  log:       journalctl -u edgent-$role -f
  as it:     sudo -Hu edgent $venv/bin/edgent ...   (join, token create, devices list)
  undo:      sudo systemctl disable --now edgent-$role; sudo rm -r $venv /etc/systemd/system/edgent-* /etc/sysctl.d/60-edgent.conf /etc/logrotate.d/edgent
  data:      /var/lib/edgent and /var/cache/edgent stay
END
