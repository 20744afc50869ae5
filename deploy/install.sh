#!/bin/sh
# Makes the virtual environment VENV from the hashed LOCK and puts Tidegate itself into it, editable.
#   sh deploy/install.sh VENV LOCK        PYTHON=/path/to/python chooses the interpreter
set -eu
venv=$1
lock=$2

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

# Prints the one command that installs Python VERSION with its venv module here.
fix() {
    if command -v apt-get >/dev/null 2>&1; then
        sudo=$([ "$(id -u)" = 0 ] || echo "sudo ")
        echo "${sudo}apt-get update && ${sudo}apt-get install -y python$1-venv"
    elif [ "$(uname)" = Darwin ]; then
        echo "brew install python@3.13"
    else
        echo "install Python 3.11 or newer with its venv module, then run this again"
    fi
}

# The newest packaged version; plain python3 where the package lists say nothing.
packaged() {
    for version in 3.13 3.12 3.11; do
        apt-cache show "python$version-venv" >/dev/null 2>&1 && echo $version && return
    done
    echo 3
}

python=""
without_venv=""
for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
    is_new_enough "$candidate" || continue
    if has_venv "$candidate"; then
        python=$candidate
        without_venv=""
        break
    fi
    without_venv=${without_venv:-$candidate}
done

if [ -n "$without_venv" ]; then
    version=$("$without_venv" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    printf 'Python %s has no venv module. This installs it:\n\n    %s\n\n' "$version" "$(fix "$version")" >&2
    exit 1
elif [ -z "$python" ]; then
    printf '%s is not Python 3.11 or newer. This installs it:\n\n    %s\n\n' "${PYTHON:-python3}" \
        "$(fix "$(packaged)")" >&2
    exit 1
fi

echo "Preparing $venv with $("$python" --version) ..."
# An environment whose interpreter was upgraded or removed cannot be repaired, only made again.
if [ ! -x "$venv/bin/uv" ] || ! "$venv/bin/python" -c '' >/dev/null 2>&1; then
    "$python" -m venv --clear "$venv"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
VIRTUAL_ENV=$PWD/$venv
UV_SYSTEM_CERTS=true # like pip: trust what the operating system trusts
export VIRTUAL_ENV UV_SYSTEM_CERTS
"$venv/bin/uv" pip sync --quiet --require-hashes --compile-bytecode requirements-uv.lock "$lock"
"$venv/bin/uv" pip install --quiet --no-deps --editable .
