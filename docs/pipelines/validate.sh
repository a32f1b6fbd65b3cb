#!/bin/sh
# For cron, systemd, Jenkins, or any pipeline that runs a shell: validate, keep the last reports, and say how it went.
# CRMSHIFT_DSN says where; the first argument is the folder of the reports. Ends as crmshift does: 0 clean, 1 not clean.
set -u

reports=${1:-reports}
mkdir -p "$reports"

crmshift validate --format json \
    --report junit="$reports/crmshift.xml" \
    --report html="$reports/crmshift.html" \
    > "$reports/crmshift.json.part"
status=$?

case $status in
    0 | 1) mv "$reports/crmshift.json.part" "$reports/crmshift.json" ;;
    *) rm -f "$reports/crmshift.json.part" ;;
esac

case $status in
    0) echo "crmshift: clean" ;;
    1) echo "crmshift: NOT clean, see $reports/crmshift.html" >&2 ;;
    *) echo "crmshift: no answer (exit $status); the reports in $reports are of an earlier run" >&2 ;;
esac
exit "$status"
