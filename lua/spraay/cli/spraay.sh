#!/bin/sh
# spraay: starts the command line of Spraay for Lua. The build fills in the words between at-signs.
# `spraay sandbox … -- COMMAND` is done here: the sandbox is started in the background, its
# variables are read, and this process becomes COMMAND. The sandbox holds the reading end of a pipe
# that COMMAND inherits, and goes when the pipe ends. So signals, terminal and exit status are
# COMMAND's own, and nothing is left behind however it dies.
# SPDX-License-Identifier: MIT

lua=${SPRAAY_LUA:-@LUA@}
lua_path='@LUA_PATH@'
lua_cpath='@LUA_CPATH@'

spraay() {
    unset LUA_PATH_5_4 LUA_CPATH_5_4 LUA_PATH_5_3 LUA_CPATH_5_3 LUA_PATH_5_2 LUA_CPATH_5_2
    LUA_PATH=$lua_path LUA_CPATH=$lua_cpath \
        exec "$lua" /dev/fd/3 "$@" 3<<'end'
os.exit(require("spraay.cli").main(arg))
end
}

# A command to serve? Only `sandbox` takes one, after a bare "--".
served=no
if [ "${1-}" = sandbox ]; then
    for word in "$@"; do
        [ "$word" = -- ] && served=yes
    done
fi
[ $served = yes ] || spraay "$@"

# What is the command? Better asked before anything is started.
trouble() {
    echo "spraay sandbox: $1" >&2
    exit "$2"
}
named() {
    while [ "$1" != -- ]; do shift; done
    [ $# -gt 1 ] || trouble 'no command after --' 2
    command -v -- "$2" >/dev/null || trouble "$2: command not found" 127
}
named "$@"

# Until this process becomes the command, the folder is ours to remove; then it is the sandbox's.
dir=$(mktemp -d "${TMPDIR:-/tmp}/spraay-sandbox.XXXXXX") || exit 8
trap 'rm -rf "$dir"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
mkfifo "$dir/hold" "$dir/ready" && mkdir -m 700 "$dir/state" || exit 8

# Words before "--" go to the sandbox, the rest is the command. "$@" is the only list sh has: the
# sandbox's words are rotated to its end, one by one, until "--" is in front.
options() {
    count=0
    for word in "$@"; do
        [ "$word" = -- ] && break
        count=$((count + 1))
    done
    total=$#
    while [ $count -gt 0 ]; do
        word=$1
        shift
        set -- "$@" "$word"
        count=$((count - 1)) total=$((total - 1))
    done
    while [ $total -gt 0 ]; do      # drop "--" and the command
        shift
        total=$((total - 1))
    done
    case " $* " in
        *" --port "* | *" --port="*) ;;
        *) set -- "$@" --port 0 ;;
    esac
    spraay "$@" --quiet --until-eof
}

(
    trap - EXIT
    trap '' INT HUP TERM            # the command's signals are not the sandbox's
    (options "$@")
    status=$?
    rm -rf "$dir"
    exit $status
) <"$dir/hold" >"$dir/ready" &
sandbox=$!

# Nothing real goes in: of these the command gets what the sandbox prints, or none.
unset SPRAAY_SOLANA_KEY SPRAAY_SOLANA_ADDRESS SPRAAY_SOLANA_RPC SPRAAY_API_KEY

exec 9>"$dir/hold" 8<"$dir/ready"
ready=no
while IFS= read -r line <&8; do
    case $line in
        '# ready') ready=yes; break ;;
        'export SPRAAY_'*) eval "$line" ;;
        *) printf '%s\n' "$line" ;;
    esac
done
exec 8<&-
if [ $ready = no ]; then            # it has said why; leave with its status
    exec 9>&-
    wait $sandbox
    exit $?
fi

SPRAAY_STATE_DIR=$dir/state
export SPRAAY_STATE_DIR

while [ "$1" != -- ]; do shift; done
shift

# The command finds the modules that this launcher finds, after those on a path of its own. The one
# in C suits one version of Lua only, so that version alone is told of it; 5.1 knows no such variable.
version=$("$lua" -e 'print((_VERSION:gsub("%D+", "_")))')       # _5_4
[ "$version" = _5_1 ] && version=
eval "own=\${LUA_CPATH$version-\${LUA_CPATH-}}"
eval "LUA_CPATH$version=\${own:+\$own;}\$lua_cpath"
LUA_PATH=${LUA_PATH:+$LUA_PATH;}$lua_path
export LUA_PATH "LUA_CPATH$version"
trap - EXIT HUP INT TERM
exec "$@"
