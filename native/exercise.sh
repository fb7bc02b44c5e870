#!/bin/sh
# exercise.sh gcc|clang|plain CALLS CFLAGS...
# Calls every function of the addon CALLS times, under the tests' fake device: with ASan and UBSan of that compiler, or
# plain. Works in a copy of the tree, so the installed addon stays unchanged.
set -eu
compiler=$1 calls=$2
shift 2
cd "$(dirname "$0")"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/native/build"
cp -R ../src ../test ../package.json "$tree"
ln -s "$(cd ../node_modules && pwd)" "$tree/node_modules"

preload=
case $compiler in
plain) cc "$@" ./*.c -o "$tree/native/build/sev_guest.node" -ldl -pthread ;;
*)
	runtime=libasan.so shared=
	if [ "$compiler" = clang ]; then runtime=libclang_rt.asan-$(uname -m).so shared=-shared-libasan; fi
	preload=$("$compiler" -print-file-name="$runtime")
	if [ ! -e "$preload" ]; then
		echo "$compiler: skipped: its sanitizers are not installed (Debian: libasan, libclang-rt-dev)"
		exit 0
	fi
	# shellcheck disable=SC2086
	"$compiler" "$@" -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all $shared \
		./*.c -o "$tree/native/build/sev_guest.node" -ldl -pthread
	;;
esac
cc -std=c17 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE ../test/native/fake_device.c ../test/native/fake_driver.c -o "$tree/fake_device"

# Node itself is not built for the sanitizers, so leaks at its exit are not reported.
node=$(cd "$(dirname "$NODE")" && pwd)/$(basename "$NODE")
for program in "callAddon.ts $calls" "askDevice.ts 50" "askDevice.ts 50 together"; do
	for answers in ok status:22 length:20000,ok firmware:5; do
		echo "$compiler: $program, $answers"
		# shellcheck disable=SC2086
		(cd "$tree" && ./fake_device --answers "$answers" -- env LD_PRELOAD="$preload" ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 \
			UBSAN_OPTIONS=print_stacktrace=1 "$node" --max-semi-space-size=1 test/native/$program >"$tree/out") || {
			echo "$compiler: $program, $answers: failed" >&2
			exit 1
		}
		if [ "$compiler" = plain ]; then
			cat "$tree/out" # the growth in bytes, which means nothing under ASan
			exit 0
		fi
	done
done
