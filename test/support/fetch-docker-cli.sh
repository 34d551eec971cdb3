#!/bin/sh
# Unpacks the docker CLI of Debian 13 to $1: the newest that Debian has, beside the one of this machine's release. It is not
# installed, and apt keeps neither list nor package of the other release.
set -e
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
mirror=$(sed -n 's/^URIs: *\([^ ]*debian\) *$/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} trixie main" >"$dir/sources.list"
apt() {
  apt-get -q -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root \
    -o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" "$@" >/dev/null
}
apt update
(cd "$dir" && apt download docker-cli)
dpkg-deb -x "$dir"/docker-cli_*.deb "$dir/x"
mkdir -p "$(dirname "$1")"
mv "$dir/x/usr/bin/docker" "$1"
