#!/bin/sh
# The system packages that the tests need: installs what is missing where it may (root, Debian or Ubuntu), else names it.
missing=
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing="$missing chromium"
command -v bwrap >/dev/null || missing="$missing bubblewrap"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing$missing"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null && exit 0
fi
echo "The tests need these system packages, which are not here:$missing"
echo "Install them, for example: sudo apt-get install$missing"
exit 1
