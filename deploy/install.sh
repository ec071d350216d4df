#!/bin/sh
# install.sh PYTHON REQUIREMENTS: the locked packages, each checked against its hash, then this project, editable.
# pip's own progress bars show on a terminal; elsewhere one line per step.
set -eu
python=$1
requirements=$2
echo "Installing $(grep -c '^[a-z]' "$requirements") locked packages from $requirements (the first time takes a minute) …"
"$python" -m pip install --disable-pip-version-check --progress-bar on --quiet --require-hashes -r "$requirements"
"$python" -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
