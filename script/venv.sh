# Sourced by the other scripts: makes .venv on first use and brings it up to date when needed.
# Needs Python 3.11 to 3.13 with its venv module, and nothing else.

cd "$(dirname "$0")/.." || exit 1

find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
        then
            echo "$candidate"
            return
        fi
    done
    echo "Tocsin needs Python 3.11, 3.12 or 3.13, and found none: install one, or set PYTHON=/path/to/python." >&2
    exit 1
}

# What an installation depends on: a change here, and only a change here, installs again.
fingerprint() {
    {
        echo "$1"
        cat pyproject.toml hatch_build.py package.json package-lock.json vite.config.* tsconfig.json
        find src/tocsin/web/assets -type f | LC_ALL=C sort | xargs cat
    } 2>/dev/null | cksum
}

# Usage: ensure_venv EXTRAS ("" or "[test]")
ensure_venv() {
    extras=$1
    if [ ! -x .venv/bin/python ]; then
        python=$(find_python) || exit 1
        echo "Making .venv with $("$python" --version)..."
        "$python" -m venv .venv || {
            echo "That Python has no venv module; on Debian: apt install python3-venv" >&2
            exit 1
        }
    fi
    stamp=".venv/tocsin-installed$extras"
    want=$(fingerprint "$extras")
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$want" ]; then
        echo "Installing Tocsin$extras and what it needs into .venv (about a minute the first time)..."
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
            --editable ".$extras" || exit 1
        .venv/bin/python -m pip list --disable-pip-version-check --format=freeze 2>/dev/null |
            cut -d= -f1,3 | tr "\n" " " | fold -s -w 110
        echo
        echo "$want" >"$stamp"
    fi
}
