#!/bin/sh
# Writes the alerts as a PrometheusRule for Kubernetes and as a file of the Helm chart, which cannot read alerts.yml.
# MONOTRON_SOURCE says where the repository is, as for `make dist`: the alerts' runbook_url leads there.
set -eu
cd "$(dirname "$0")"
docs=${MONOTRON_SOURCE:-https://github.com/OWNER/monotron}/blob/main/docs

for file in alerts.yml alerts_test.yml; do
    sed "s|\(runbook_url: \).*/\(operations.md#\)|\1$docs/\2|" "$file" >"$file.new"
    # In place, to keep its mode.
    cat "$file.new" >"$file"
    rm "$file.new"
done

cp alerts.yml ../helm/monotron/alerts.yml
{
    cat <<'END'
# Made from deploy/prometheus/alerts.yml by copy.sh beside it.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: monotron
  labels:
    app.kubernetes.io/name: monotron
spec:
END
    sed -n '/^groups:/,$p' alerts.yml | sed 's/^./  &/'
} >../k8s/monitoring/prometheusrule.yaml
