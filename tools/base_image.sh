#!/usr/bin/env bash
# A stand-in for the image's base, made from Debian's own packages, for machines that can pull no
# image from a registry: the same distribution, and its Python at the place of the real image's.
#
#     tools/base_image.sh        tags it for buildah and podman; a second run finds it there
#
# Needs root, buildah and debootstrap. DEBIAN_MIRROR names another mirror than debootstrap's own.
set -euo pipefail
cd "$(dirname "$0")/.."

# The one base that the Dockerfile names.
base="docker.io/library/$(sed -n 's/^ARG BASE=//p' Dockerfile)"

if buildah inspect --type image "$base" >/dev/null 2>&1; then
  echo "$base is here"
  exit 0
fi

root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=ca-certificates,python3.11,python3.11-venv,python3-pip \
  bookworm "$root/rootfs" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$root/log" || { tail "$root/log"; exit 1; }
rm -rf "$root"/rootfs/var/cache/apt/* "$root"/rootfs/var/lib/apt/lists/*
for name in python python3 python3.11; do
  ln -s /usr/bin/python3.11 "$root/rootfs/usr/local/bin/$name"
done

container="$(buildah from scratch)"
buildah add --quiet "$container" "$root/rootfs" / >/dev/null
buildah config --cmd python3 --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  "$container"
buildah commit --quiet --rm "$container" "$base" >/dev/null
echo "$base is a stand-in: Debian's $("$root/rootfs/usr/bin/python3.11" --version 2>/dev/null || echo Python)"
