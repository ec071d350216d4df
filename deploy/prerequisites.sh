#!/bin/sh
# prerequisites.sh LEG...: what a leg of `make test-all` needs beside Python. Installs it where it can (root on Debian);
# otherwise one line per missing program, naming its package, and exit 1.
set -u
missing=0

need() { # need PROGRAM PACKAGE LEG
  command -v "$1" >/dev/null 2>&1 && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$2" >/dev/null 2>&1
    command -v "$1" >/dev/null 2>&1 && return
  fi
  echo "missing for the $3 tests: $1; install the package $2" >&2
  missing=1
}

fuzzer() { # into the tests' environment, against its hash: it has wheels for Linux on x86-64 alone
  .venv/bin/python -c 'import atheris' 2>/dev/null && return
  .venv/bin/python -m pip install --disable-pip-version-check -q --require-hashes -r requirements/fuzz.txt && return
  echo "missing for the parser tests: atheris; install requirements/fuzz.txt" >&2
  missing=1
}

for leg in "$@"; do
  case $leg in
    browser) need chromium chromium browser ;;
    apache) need java openjdk-17-jre-headless apache; need mvn maven apache ;;
    parser) need node nodejs parser; need npm npm parser; fuzzer ;;
    promtool) need promtool prometheus promtool ;;
    chaos) ;;
    *) echo "prerequisites.sh: unknown leg $leg" >&2; exit 2 ;;
  esac
done
exit $missing
