#!/bin/sh
# What the tests need beside Python: installs system packages where it may (root, Debian or Ubuntu), else names them;
# then axe-core, at the version in tests/browser/package-lock.json.
set -e
cd "$(dirname "$0")/.."
missing=
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing="$missing chromium"
command -v bwrap >/dev/null || missing="$missing bubblewrap"
command -v npm >/dev/null || missing="$missing npm"
if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing$missing"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null
  else
    echo "The tests need these system packages, which are not here:$missing"
    echo "Install them, for example: sudo apt-get install$missing"
    exit 1
  fi
fi
installed=tests/browser/node_modules/.package-lock.json
[ "$installed" -nt tests/browser/package-lock.json ] || npm ci --prefix tests/browser --no-audit --no-fund
