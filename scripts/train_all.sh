#!/bin/sh
# Train what is missing or worst first, within a budget: scripts/train_all.sh --budget 28 --output /tmp/trained
exec "${PYTHON:-python3}" "$(dirname "$0")/train_all.py" "$@"
